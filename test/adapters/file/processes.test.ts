import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { createProcessTable, type ProcessWorld } from "../../../lib/adapters/file/system.ts";
import type { ProcessMark } from "../../../lib/ports/runtime.ts";

const failing = (code: string) => async (): Promise<never> => {
  throw Object.assign(new Error(code), { code });
};

const stat = (started: string, name = "node"): string =>
  `7 (${name}) S ${Array.from({ length: 18 }, (_, at) => at).join(" ")} ${started} 99 98\n`;

/** A Linux in which process 7 asks and process 40 runs. */
function linux(over: {
  readonly files?: Readonly<Record<string, string | null>>;
  readonly links?: Readonly<Record<string, string | null>>;
  readonly probe?: string | null;
}): ProcessWorld {
  const files: Readonly<Record<string, string | null>> = {
    "/proc/sys/kernel/random/boot_id": "b00t\n",
    "/proc/self/stat": stat("500"),
    "/proc/40/stat": stat("1234", "a) b (c"),
    ...over.files,
  };
  const links: Readonly<Record<string, string | null>> = {
    "/proc/self": "7",
    "/proc/self/ns/pid": "pid:[1]",
    "/proc/self/ns/time": "time:[2]",
    ...over.links,
  };
  const of = async (
    from: Readonly<Record<string, string | null>>,
    path: string,
  ): Promise<string> => {
    const text = from[path];
    return text ?? failing(text === null ? "EACCES" : "ENOENT")();
  };
  return {
    read: (path) => of(files, path),
    link: (path) => of(links, path),
    probe: () => {
      const { probe = null } = over;
      if (probe !== null) throw Object.assign(new Error(probe), { code: probe });
    },
    pid: 7,
  };
}

const MARK: ProcessMark = {
  boot: "b00t",
  namespaces: "pid:[1] time:[2]",
  pid: 40,
  started: "1234",
};

describe("a process of this machine", () => {
  it("is named by boot, namespaces, id and start", async () => {
    expect(await createProcessTable(linux({})).own()).toEqual({ ...MARK, pid: 7, started: "500" });
    expect(
      await createProcessTable(
        linux({ links: { "/proc/self/ns/time": undefined as never } }),
      ).own(),
    ).toMatchObject({ namespaces: "pid:[1]" });
  });

  it.each([
    ["another user's /proc", { links: { "/proc/self": "8" } }],
    ["no /proc", { links: { "/proc/self": undefined as never } }],
    ["an unreadable boot id", { files: { "/proc/sys/kernel/random/boot_id": null } }],
    ["an unreadable pid namespace", { links: { "/proc/self/ns/pid": null } }],
    ["an unreadable time namespace", { links: { "/proc/self/ns/time": null } }],
    ["a stat without a start", { files: { "/proc/self/stat": "7 (node) S 1 2" } }],
  ])("isn't named with %s, and nobody is gone then", async (_name, over) => {
    const table = createProcessTable(linux({ ...over, probe: "ESRCH" }));
    expect(await table.own()).toBeNull();
    expect(await table.isGone(MARK)).toBe(false);
  });

  it.each([
    ["it has the same start", {}, {}, false],
    ["no process has its id", { probe: "ESRCH" }, {}, true],
    ["its id was reused", { files: { "/proc/40/stat": stat("1235") } }, {}, true],
    ["another user's process is hidden", { probe: "EPERM" }, {}, false],
    ["its stat can't be read", { files: { "/proc/40/stat": null } }, {}, false],
    ["it vanishes meanwhile", { files: { "/proc/40/stat": undefined as never } }, {}, false],
    ["its stat has no start", { files: { "/proc/40/stat": "x" } }, {}, false],
    ["the boot is another", { probe: "ESRCH" }, { boot: "other" }, false],
    ["the namespace is another", { probe: "ESRCH" }, { namespaces: "pid:[9] time:[2]" }, false],
  ] as const)("where %s", async (_name, over, mark, gone) => {
    expect(await createProcessTable(linux(over)).isGone({ ...MARK, ...mark })).toBe(gone);
  });
});

it.runIf(process.platform === "linux")("tells a real process that was killed", async () => {
  const table = createProcessTable();
  const own = await table.own();
  expect(own).toMatchObject({ pid: process.pid });
  if (own === null) return;
  expect(await table.isGone(own)).toBe(false);
  expect(await table.isGone({ ...own, started: "1" })).toBe(true);
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  await once(child, "spawn");
  const mark = { ...own, pid: child.pid ?? 0, started: own.started };
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await table.isGone(mark)).toBe(true);
});
