/** What a drill says. */
import { expect, it } from "vitest";
import { type DrilledCertificate, type DrilledCopy, drillText } from "../../lib/report/drill.ts";
import { PLAIN } from "../../lib/report/text.ts";

const COPY: DrilledCopy = {
  key: "prod/shop/web/1",
  version: "09ac2a96".padEnd(64, "0"),
  cluster: "prod",
  header: null,
  verdict: "good",
  code: null,
  detail: "",
  recorded: true,
  retired: false,
  recordedAt: null,
  removed: null,
};

it("names each invalid backup and why", () => {
  const invalid: DrilledCopy = { ...COPY, verdict: "not_good", detail: "key_mismatch" };
  const text = drillText(
    {
      opened: true,
      copies: [COPY, invalid],
      certificates: [],
      findings: [],
      problems: [],
      retention: "done",
      interrupted: false,
    },
    { nowMs: 0, width: 100, room: 100, style: PLAIN, verbose: false },
  );
  expect(text).toMatch(
    /2 backups tested: 1 OK, 1 invalid\n {2}prod, version 09ac2a96: \S.*\(not restored unless forced\)\n/,
  );
  expect(text).not.toContain("key_mismatch");
});

const NOW_MS = Date.UTC(2026, 10, 23, 12);

function certificates(clusters: readonly string[]): DrilledCertificate[] {
  const names = ["admin", "session-recorder-of-the-platform", "reports"];
  return clusters.flatMap((cluster) =>
    names.map((name, index) => ({
      cluster,
      namespace: "tailscale",
      secret: index === 1 ? "ts-recorder-x7k2p-0" : `${name}.tail1a2b3.ts.net`,
      title: `${name}.tail1a2b3.ts.net`,
      live: index === 2 ? ("lost" as const) : ("valid" as const),
      good:
        index === 2
          ? null
          : {
              version: "09ac2a96",
              recordedAt: index === 0 ? "2026-11-23T11:59:48Z" : "2026-09-11T12:00:00Z",
              notAfter: "2026-12-11T12:00:00Z",
            },
    })),
  );
}

it.each(
  [80, 120].flatMap((width) =>
    [["prod"], ["prod", "staging"]].map((clusters) => [width, clusters] as const),
  ),
)("is as recorded at %d columns for %j", async (width, clusters) => {
  const text = drillText(
    {
      opened: true,
      copies: clusters.flatMap((cluster) => [
        { ...COPY, cluster },
        { ...COPY, cluster },
      ]),
      certificates: certificates(clusters),
      findings: [],
      problems: [],
      retention: "done",
      interrupted: false,
    },
    { nowMs: NOW_MS, width, room: width, style: PLAIN, verbose: true },
  );
  await expect(`${text}\n`).toMatchFileSnapshot(`fixtures/drill-${clusters.length}-${width}.txt`);
});
