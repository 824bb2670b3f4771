/** What `certkeep doctor` prints, on the pages recorded under fixtures/. */
import { describe, expect, it } from "vitest";
import { type DoctorLine, doctorText } from "../../lib/report/doctor.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { allowRestores } from "../../lib/finding/action.ts";
import { CertkeepError } from "../../lib/error.ts";
import { failed, line } from "../../lib/usecases/doctor/line.ts";

const RECIPIENT = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq";

/** On a machine where nothing is set up: the current context is checked. */
const FIRST: readonly DoctorLine[] = [
  line("config", "warn", { seen: "no_configuration" }, { action: { kind: "init" } }),
  line("identity", "warn", { seen: "no_identity", recipients: [] }, { action: { kind: "init" } }),
  line("backups", "pass", {
    seen: "backups",
    url: "file:///home/me/.local/share/certkeep/backups",
  }),
  line("reach", "pass", { seen: "answers", server: "https://10.0.0.1:6443", version: "v1.34.4" }),
  line(
    "registered",
    "warn",
    { seen: "not_registered" },
    {
      cluster: "kind-dev",
      action: { kind: "clustersAdd", cluster: "kind-dev", rebuilt: false, context: "kind-dev" },
    },
  ),
  line("digest", "warn", { seen: "no_route" }),
];

const BAD: readonly DoctorLine[] = [
  line("config", "pass", { seen: "configuration", file: "/etc/certkeep.yaml", trust: "named" }),
  line("digest", "warn", { seen: "never_posted", route: "ops" }, { action: { kind: "sendTest" } }),
  failed(
    "reach",
    new CertkeepError("cluster_unreachable", {
      where: "cluster lab",
      found: "nothing listens at the server's address, 10.0.0.2:6443 (connection refused)",
      todo: "Check the address or your VPN",
    }),
    { cluster: "lab" },
  ),
  line(
    "identity",
    "fail",
    { seen: "identity_of_others", where: "/keys/me.txt", recipients: [RECIPIENT] },
    { cluster: "prod" },
  ),
  line(
    "restore-credential",
    "warn",
    { seen: "no_restoring" },
    { cluster: "prod", action: allowRestores("prod", "eks") },
  ),
  line(
    "audit",
    "warn",
    { seen: "audited", agoMs: 27 * 3_600_000, isComplete: false },
    { cluster: "prod", action: { kind: "audit", cluster: "prod" } },
  ),
];

const PAGES = [
  ["first", FIRST, false],
  ["bad", BAD, false],
  ["bad-verbose", BAD, true],
] as const;

describe("the doctor's page", () => {
  it.each(PAGES.flatMap((page) => [80, 120].map((width) => [...page, width] as const)))(
    "%s",
    async (name, lines, verbose, width) => {
      const text = doctorText(lines, { width, style: PLAIN, verbose });
      await expect(`${text}\n`).toMatchFileSnapshot(`fixtures/doctor-${name}-${width}.txt`);
    },
  );

  it("puts problems first, counts what is OK, and lists it with -v", () => {
    const page = { width: 80, style: PLAIN };
    const brief = doctorText(BAD, { ...page, verbose: false });
    expect(brief.split("\n")[0]).toBe("2 problems, 3 warnings, 1 OK (-v lists them)");
    expect(brief.indexOf("connection refused")).toBeLessThan(brief.indexOf("nothing posted yet"));
    expect(brief).not.toContain("/etc/certkeep.yaml");
    expect(doctorText(BAD, { ...page, verbose: true })).toContain("/etc/certkeep.yaml");
  });

  it("prints a command once, below all that it fixes", () => {
    const text = doctorText(FIRST, { width: 80, style: PLAIN, verbose: false });
    expect(text.match(/certkeep init/g)).toHaveLength(1);
    expect(text).toMatch(/^ {2}configuration .*\n {2}identity .*\n {4}certkeep init$/m);
  });

  it("keeps each command whole, on a line of its own", () => {
    const text = doctorText(FIRST, { width: 40, style: PLAIN, verbose: false });
    expect(text).toContain("\n    certkeep clusters add kind-dev --context kind-dev\n");
  });
});
