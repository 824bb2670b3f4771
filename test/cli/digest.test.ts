import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { named } from "../support/named.ts";
import { createFileStates } from "../../lib/adapters/file/stores.ts";
import { startSlackSink, type SlackSink } from "../support/slack.ts";
import { formatState } from "../../lib/state/document.ts";
import { DIGEST_NAME } from "../../lib/state/digest.ts";
import { stateName } from "../../lib/usecases/states.ts";
import { NOW_MS, secret } from "../finding/fixture.ts";
import { cluster, lasting } from "../report/support.ts";

let folder = "";
let sink: SlackSink;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "certkeep-cli-digest-"));
  sink = await startSlackSink();
  await configure("env:HOOK");
  const states = createFileStates(join(folder, "state"));
  await states.write(
    stateName("prod"),
    formatState(
      cluster("prod", 3, {
        "shop/web": secret({ certificates: { tls: lasting(3, "web.shop.example") } }),
      }),
    ),
    null,
  );
});
afterEach(async () => {
  await sink.stop();
  await rm(folder, { recursive: true, force: true });
});

async function configure(webhook: string | null): Promise<void> {
  const route =
    webhook === null ? "" : `digest:\n  routes:\n    - {name: ops, webhook: "${webhook}"}\n`;
  await writeFile(
    join(folder, "certkeep.yaml"),
    `clusters:\n  - name: prod\nstores:\n  state: file:state\n${route}`,
    { mode: 0o600 },
  );
}

const certkeep = (
  args: readonly string[],
  { env = {}, ...over }: Parameters<typeof runIn>[2] = {},
): Promise<Ended> =>
  runIn(folder, named(folder, args), {
    env: { HOOK: sink.url, ...env },
    columns: 80,
    nowMs: () => NOW_MS,
    ...over,
  });

const token = (): string => sink.url.split("/").at(-1) ?? "none";

describe("certkeep digest", () => {
  it("posts what is due, once", async () => {
    expect(await certkeep(["digest"])).toEqual({
      code: 0,
      out: "ops: 1 digest posted.\n",
      err: "",
    });
    expect(await certkeep(["digest"])).toEqual({ code: 0, out: "ops: nothing is due.\n", err: "" });
    expect(sink.taken.map(({ text }) => text)).toEqual([
      "web.shop.example in prod: expires in 3 days, renewal was due 27 days ago",
    ]);
  });

  it("shows with --dry-run what Slack would get, and neither posts nor writes", async () => {
    const { code, out } = await certkeep(["digest", "--dry-run"]);
    expect(code).toBe(0);
    expect(out).toContain(
      "[ops: due now]\nCRITICAL web.shop.example in prod: expires in 3 days, renewal was",
    );
    expect(out).toContain(
      `    certkeep explain web.shop.example --config ${join(folder, "certkeep.yaml")}\n`,
    );
    expect(out).toContain("prod: 1 problem; 3 of 4 certificates OK, all 4 backed up\n");
    const json = JSON.parse((await certkeep(["digest", "--dry-run", "--json"])).out) as {
      schema: string;
      routes: { blocks: unknown[] }[];
    };
    expect(json.schema).toBe("certkeep.digest/v1");
    expect(sink.requests()).toBe(0);
    await certkeep(["digest"]);
    expect(sink.taken[0]?.blocks).toEqual(json.routes[0]?.blocks);
    expect((await certkeep(["digest", "--dry-run"])).out).toContain("[ops: nothing is due now");
  });

  it("posts nothing as of another time", async () => {
    const { out } = await certkeep(["digest", "--at", "2026-12-24T00:00:00Z"]);
    expect(out.replaceAll(/\s+/g, " ")).toContain(
      "CRITICAL web.shop.example in prod: expired 27 days ago",
    );
    // What lies ahead makes no audit stale.
    expect(out).toContain("prod: 1 problem; 3 of 4 certificates OK, all 4 backed up");
    expect(sink.requests()).toBe(0);
    expect(await createFileStates(join(folder, "state")).read(DIGEST_NAME)).toBeNull();
  });

  it("reads a webhook from a file", async () => {
    await writeFile(join(folder, "hook"), `${sink.url}\n`);
    await configure("file:hook");
    expect((await certkeep(["digest"])).code).toBe(0);
    expect(sink.taken).toHaveLength(1);
  });

  it.each([
    ["a variable that isn't set", { HOOK: "" }, "the environment variable is missing or empty"],
    [
      "a text that is no URL",
      { HOOK: "hooks.slack.com/services/T0/B0/secretsecret" },
      "it isn't a URL (43 characters)",
    ],
    [
      "plain HTTP to elsewhere",
      { HOOK: "http://slack.example/services/T0/B0/secretsecret" },
      "isn't https",
    ],
  ])("says of %s where it is, and ends with 3", async (_name, env, found) => {
    const { code, out, err } = await certkeep(["digest"], { env });
    expect(code).toBe(3);
    expect(err).toContain("digest.routes[0].webhook (route ops): env:HOOK");
    expect(err).toContain(found);
    expect(out).toBe("ops: 1 digest waiting to be delivered.\n");
    expect(out + err).not.toContain("secretsecret");
  });

  it("says plainly that a webhook was revoked, and shows it nowhere", async () => {
    sink.revoke();
    const { code, out, err } = await certkeep(["digest", "--json", "-v"]);
    expect(code).toBe(3);
    expect(err).toContain("the webhook was revoked or its channel closed (Slack: no_service)");
    expect(err).toContain("Make a new webhook in Slack");
    expect(
      out + err + ((await createFileStates(join(folder, "state")).read(DIGEST_NAME))?.text ?? ""),
    ).not.toContain(token());
  });

  it.each([
    [
      "a redirect",
      [302, "", "a redirect to another address", "Check that the URL is a Slack incoming webhook"],
    ],
    [
      "a proxy's refusal",
      [403, "<html>blocked</html>", "a web page with status 403", "the proxy in between"],
    ],
    [
      "a revoked webhook",
      [404, "no_service", "the webhook was revoked or its channel closed", "Make a new webhook"],
    ],
    [
      "a proxy's page with status 200",
      [200, "<html>blocked</html>", "a web page with status 200", "the proxy in between"],
    ],
    [
      "a workflow's trigger",
      [200, '{"ok":false}', "JSON with status 200, which isn't Slack's answer", "incoming webhook"],
    ],
    ["an empty answer", [200, "", "an empty answer with status 200", "incoming webhook"]],
  ] as const)(
    "keeps a digest queued at %s, reports the kind of answer, also in doctor, and delivers it " +
      "later",
    async (_name, [status, body, kind, todo]) => {
      const refusal = { kind: "answer", status, body, headers: { location: sink.url } } as const;
      sink.fail(refusal);
      const first = await certkeep(["digest"]);
      expect(first).toMatchObject({ code: 3, out: "ops: 1 digest waiting to be delivered.\n" });
      expect(first.err).toContain(kind);
      expect(first.err).toContain(todo);
      sink.fail(refusal);
      const doctor = (await certkeep(["doctor", "--send-test"])).out.replaceAll(/\s+/g, " ");
      expect(doctor).toContain(`Route ops: the last message failed: ${kind}`);
      expect(doctor).toContain(`Route ops: test message failed: ${kind}`);
      expect(sink.taken).toEqual([]);
      expect((await certkeep(["digest"])).out).toBe("ops: 1 digest posted.\n");
      expect((await certkeep(["doctor", "--send-test", "-v"])).out).toContain(
        "Route ops: test message delivered",
      );
      expect(sink.taken).toHaveLength(2);
    },
  );

  it("without a route is told how to get one", async () => {
    await configure(null);
    expect(await certkeep(["digest"])).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        "digest.routes: there is no route to post to. Add one with a name and a webhook",
      ) as string,
    });
    expect((await certkeep(["digest", "--dry-run"])).out).toContain("prod: 1 problem; ");
  });

  it("tells a state that can't be read, and what the others say", async () => {
    await writeFile(
      join(folder, "certkeep.yaml"),
      "clusters:\n" +
        "  - name: prod\n" +
        "  - name: broken\n" +
        "stores:\n" +
        "  state: file:state\n" +
        "digest:\n" +
        "  routes:\n" +
        "    - {name: ops, webhook: env:HOOK}\n",
      { mode: 0o600 },
    );
    await createFileStates(join(folder, "state")).write(stateName("broken"), "{", null);
    const { code, err } = await certkeep(["digest"]);
    expect(code).toBe(3);
    expect(err).toContain("cluster-broken");
    expect(sink.taken[0]?.text).toBe(
      "web.shop.example in prod: expires in 3 days, renewal was due 27 days ago; 1 more",
    );
    expect(JSON.stringify(sink.taken[0]?.blocks)).toContain(
      "2 clusters: 2 problems; 3 of 4 certificates OK, all 4 backed up, 1 cluster with an unreadable state (`broken`)",
    );
  });
});

describe("certkeep report", () => {
  it("fits 80 columns, without colour in a pipe, the worst first, and ends with 1", async () => {
    const { code, out, err } = await certkeep(["report"]);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    const isLong = (line: string): boolean =>
      line.length > 80 && !/ certkeep .* --config /.test(line);
    expect(out.split("\n").filter(isLong)).toEqual([]);
    expect(out).not.toContain("\u001b");
    expect(out.split("\n")[0]).toBe("prod: 1 problem; 3 of 4 certificates OK, all 4 backed up");
    expect(out).toContain("CRITICAL\n  web.shop.example  expires in 3 days");
    expect(out.indexOf("CRITICAL")).toBeLessThan(out.indexOf("no cluster was asked"));
    expect((await certkeep(["report", "--fail-on", "never"])).code).toBe(0);
  });

  it("has colour on a terminal, but not with NO_COLOR", async () => {
    expect((await certkeep(["report"], { outTty: true })).out).toContain("\u001b[31m");
    expect(
      (await certkeep(["report"], { outTty: true, env: { NO_COLOR: "1" } })).out,
    ).not.toContain("\u001b");
  });

  it("writes a page, metrics, or one JSON document", async () => {
    expect((await certkeep(["report", "--html", "r.html"])).err).toContain("wrote r.html");
    expect(await readFile(join(folder, "r.html"), "utf8")).toContain(
      "<h1>prod: 1 problem; 3 of 4 certificates OK, all 4 backed up</h1>",
    );
    expect((await certkeep(["report", "--format", "prometheus"])).out).toMatch(
      /certkeep_certificates_ok\{cluster="prod"\} 3\n[^]*# EOF\n$/,
    );
    const json = JSON.parse((await certkeep(["report", "--json"])).out) as {
      schema: string;
      certificates: unknown[];
    };
    expect(json.schema).toBe("certkeep.report/v2");
    expect(json.certificates).toHaveLength(4);
  });

  it("refuses a place where nothing can be written", async () => {
    expect(await certkeep(["report", "--html", "no/such/r.html"])).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        "--html no/such/r.html: there is no such folder. Name a file",
      ) as string,
    });
  });
});
