/**
 * `certkeep audit` over 10,000 TLS Secrets on a real kube-apiserver, process start included, without recipients
 * and so without sealing: the first run against a bare client that lists and verifies, and the run after it, with
 * nothing changed, against a bare client that lists. The exporter's figures were measured on two such cores with
 * the same server and stand here as they were.
 *
 *   node test/bench/audit.ts [P-384|P-256, default P-384] [Secrets, default 10000]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificates, namespaceOf, NAMESPACES } from "./support/certificates.ts";
import { bareVerify, startCluster } from "./support/cluster.ts";
import { best } from "./support/measure.ts";
import { megabytes, note, putRow, seconds } from "./support/row.ts";

const CURVE = process.argv[2] === "P-256" ? "P-256" : "P-384";
const COUNT = Number(process.argv[3] ?? 10_000);
const RUNS = 3;
/** x509-certificate-exporter 4.2 with its throttle lifted, over 10,000 TLS Secrets. */
const EXPORTER_SECONDS = 4.4;
const PEAK_BYTES = 160e6;
const FIRST_RATIO = 1.15;

const set = createCertificates(COUNT, CURVE, Date.now());
const folder = mkdtempSync(join(tmpdir(), "certkeep-bench-"));
const file = join(folder, "signatures.json");
writeFileSync(file, JSON.stringify(set.signatures));
const namespaces = Array.from({ length: NAMESPACES }, (_, i) => namespaceOf(i));
const cluster = await startCluster(namespaces, set.secrets, set.rootPem);
try {
  let list = Infinity;
  let table = Infinity;
  let verify = Infinity;
  for (let i = 0; i < RUNS; i += 1) {
    list = Math.min(list, await cluster.bareList("list"));
    table = Math.min(table, await cluster.bareList("table"));
    verify = Math.min(verify, await bareVerify(file));
  }
  const first = await best(RUNS, async () => cluster.audit(COUNT, true));
  const again = await best(RUNS, async () => cluster.audit(COUNT, false));
  note(`bare: list ${seconds(list)}, Table ${seconds(table)}, ${COUNT} signatures ${seconds(verify)}; processor time: first ${seconds(first.cpuSeconds)}, again ${seconds(again.cpuSeconds)}`);

  const what = `${COUNT} TLS Secrets, ${CURVE} issuer`;
  const bare = list + verify;
  if (CURVE === "P-384") {
    putRow({ what: `${what}: first run`, hold: `at most ${FIRST_RATIO} of bare list + bare verify`, measured: `${seconds(first.seconds)}, ${(first.seconds / bare).toFixed(2)} of ${seconds(bare)}`, holds: first.seconds <= FIRST_RATIO * bare });
    putRow({ what: `${what}: memory`, hold: `under ${megabytes(PEAK_BYTES)}`, measured: megabytes(first.peakBytes), holds: first.peakBytes < PEAK_BYTES });
  } else {
    putRow({ what: `${what}: first run`, hold: `under the exporter's ${seconds(EXPORTER_SECONDS)}`, measured: `${seconds(first.seconds)} (bare list + bare verify ${seconds(bare)})`, holds: first.seconds < EXPORTER_SECONDS });
    putRow({ what: `${what}: memory`, hold: `under ${megabytes(PEAK_BYTES)}`, measured: megabytes(first.peakBytes), holds: first.peakBytes < PEAK_BYTES });
  }
  putRow({ what: `${what}: nothing changed`, hold: "at most 2 bare Table lists", measured: `${seconds(again.seconds)}, ${(again.seconds / table).toFixed(2)} of ${seconds(table)}`, holds: again.seconds <= 2 * table });
  putRow({ what: `${what}: nothing changed`, hold: `at most 0.3 of the exporter's ${seconds(EXPORTER_SECONDS)}`, measured: `${(again.seconds / EXPORTER_SECONDS).toFixed(2)}, ${megabytes(again.peakBytes)}`, holds: again.seconds <= 0.3 * EXPORTER_SECONDS });
  if (process.env["BENCH_KEEP"] !== undefined) {
    note(`kept: ${JSON.stringify(cluster.environment)}`);
    await new Promise((resolve) => process.once("SIGINT", resolve));
  }
} finally {
  await cluster.stop();
  rmSync(folder, { recursive: true, force: true });
}
