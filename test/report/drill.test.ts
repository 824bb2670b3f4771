/** What a drill says of backups that opened and hold no valid certificate. */
import { expect, it } from "vitest";
import { type DrilledCopy, drillText } from "../../lib/report/drill.ts";
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
