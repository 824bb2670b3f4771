/**
 * `certkeep audit` over 10,000 TLS Secrets on a real kube-apiserver, process start included,
 * without recipients and so without sealing: the first run against a bare client that lists and
 * verifies, and the run after it, with nothing changed, against a bare client that lists. The
 * exporter's figures were measured on two such cores with the same server and stand here as they
 * were.
 *
 *   node test/bench/audit.ts [P-384|P-256, default P-384] [Secrets, default 10000]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificates, namespaceOf, NAMESPACES } from "./support/certificates.ts";
import { type Bare, bareVerify, startCluster } from "./support/cluster.ts";
import type { Measured } from "./support/measure.ts";
import { megabytes, note, putRow, seconds } from "./support/row.ts";

const CURVE = process.argv[2] === "P-256" ? "P-256" : "P-384";
const COUNT = Number(process.argv[3] ?? 10_000);
const RUNS = 3;
/** x509-certificate-exporter 4.2 with its throttle lifted, over 10,000 TLS Secrets. */
const EXPORTER_SECONDS = 4.4;
const PEAK_BYTES = 160e6;
const FIRST_RATIO = 1.15;

const NEVER: Bare = { seconds: Infinity, cpuSeconds: Infinity };

/** The quicker of two, with the higher memory of both. */
function quicker<T extends { readonly seconds: number; readonly peakBytes?: number }>(
  one: T | null,
  other: T,
): T {
  const best = one === null || other.seconds < one.seconds ? other : one;
  return other.peakBytes === undefined
    ? best
    : { ...best, peakBytes: Math.max(one?.peakBytes ?? 0, other.peakBytes) };
}

const set = createCertificates(COUNT, CURVE, Date.now());
const folder = mkdtempSync(join(tmpdir(), "certkeep-bench-"));
const file = join(folder, "signatures.json");
writeFileSync(file, JSON.stringify(set.signatures));
const namespaces = Array.from({ length: NAMESPACES }, (_, i) => namespaceOf(i));
const cluster = await startCluster(namespaces, set.secrets, set.rootPem);
try {
  let list: Bare = NEVER;
  let table: Bare = NEVER;
  let verify: Bare = NEVER;
  let first: Measured | null = null;
  let again: Measured | null = null;
  // In turn, so that what else the machine does falls on all of them alike.
  for (let i = 0; i < RUNS; i += 1) {
    list = quicker(list, await cluster.bareList("list"));
    verify = quicker(verify, await bareVerify(file));
    first = quicker(first, await cluster.audit(COUNT, true));
    table = quicker(table, await cluster.bareList("table"));
    again = quicker(again, await cluster.audit(COUNT, false));
  }
  if (first === null || again === null) throw new Error("nothing was run");
  note(
    `by the clock: bare list ${seconds(list.seconds)}, Table ${seconds(table.seconds)}, ` +
      `${COUNT} signatures ${seconds(verify.seconds)}, first ${seconds(first.seconds)}, again ` +
      `${seconds(again.seconds)}`,
  );
  note(
    `processor time: bare list ${seconds(list.cpuSeconds)}, Table ` +
      `${seconds(table.cpuSeconds)}, ${COUNT} signatures ${seconds(verify.cpuSeconds)}, first ` +
      `${seconds(first.cpuSeconds)}, again ${seconds(again.cpuSeconds)}`,
  );

  const what = `${COUNT} TLS Secrets, ${CURVE} issuer`;
  const bare = list.seconds + verify.seconds;
  const byProcessor = (first.cpuSeconds / (list.cpuSeconds + verify.cpuSeconds)).toFixed(2);
  if (CURVE === "P-384") {
    putRow({
      what: `${what}: first run`,
      hold: `at most ${FIRST_RATIO} of bare list + bare verify`,
      measured:
        `${seconds(first.seconds)}, ${(first.seconds / bare).toFixed(2)} of ${seconds(bare)} ` +
        `(${byProcessor} by processor time)`,
      holds: first.seconds <= FIRST_RATIO * bare,
    });
    putRow({
      what: `${what}: memory`,
      hold: `under ${megabytes(PEAK_BYTES)}`,
      measured: megabytes(first.peakBytes),
      holds: first.peakBytes < PEAK_BYTES,
    });
  } else {
    putRow({
      what: `${what}: first run`,
      hold: `under the exporter's ${seconds(EXPORTER_SECONDS)}`,
      measured: `${seconds(first.seconds)} (bare list + bare verify ${seconds(bare)})`,
      holds: first.seconds < EXPORTER_SECONDS,
    });
    putRow({
      what: `${what}: memory`,
      hold: `under ${megabytes(PEAK_BYTES)}`,
      measured: megabytes(first.peakBytes),
      holds: first.peakBytes < PEAK_BYTES,
    });
  }
  putRow({
    what: `${what}: nothing changed`,
    hold: "at most 2 bare Table lists",
    measured:
      `${seconds(again.seconds)}, ${(again.seconds / table.seconds).toFixed(2)} of ` +
      `${seconds(table.seconds)}`,
    holds: again.seconds <= 2 * table.seconds,
  });
  putRow({
    what: `${what}: nothing changed`,
    hold: `at most 0.3 of the exporter's ${seconds(EXPORTER_SECONDS)}`,
    measured: `${(again.seconds / EXPORTER_SECONDS).toFixed(2)}, ${megabytes(again.peakBytes)}`,
    holds: again.seconds <= 0.3 * EXPORTER_SECONDS,
  });
} finally {
  await cluster.stop();
  rmSync(folder, { recursive: true, force: true });
}
