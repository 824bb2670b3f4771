/**
 * 500 TLS Secrets: `certkeep audit` against what people do without it, `kubectl get`, `base64 -d`
 * and `openssl` for each. The loop is run over the first 20 and scaled, since all of them take
 * minutes.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findTool } from "../e2e/support/tools.ts";
import { createCertificates, namespaceOf, NAMESPACES } from "./support/certificates.ts";
import { startCluster } from "./support/cluster.ts";
import { best, measure } from "./support/measure.ts";
import { note, putRow, seconds } from "./support/row.ts";

const COUNT = 500;
const SAMPLE = 20;
const TIMES = 200;

/** Validity, chain and key of each Secret, with as few programs as it takes. */
const LOOP = `
set -e
while read -r namespace name; do
  kubectl get secret -n "$namespace" "$name" -o 'jsonpath={.data.tls\\.crt}' | base64 -d > "$HOME/tls.crt"
  kubectl get secret -n "$namespace" "$name" -o 'jsonpath={.data.tls\\.key}' | base64 -d > "$HOME/tls.key"
  openssl x509 -in "$HOME/tls.crt" -noout -checkend 0 -enddate -ext subjectAltName >/dev/null
  openssl verify -CAfile "$HOME/root.pem" -untrusted "$HOME/tls.crt" "$HOME/tls.crt" >/dev/null
  test "$(openssl x509 -in "$HOME/tls.crt" -noout -pubkey)" = "$(openssl pkey -in "$HOME/tls.key" -pubout)"
done < "$HOME/names"
`;

const kubectl = findTool("kubectl");
if (kubectl === null || findTool("openssl") === null) {
  note("kubectl or openssl is missing: left out");
} else {
  const set = createCertificates(COUNT, "P-384", Date.now());
  const cluster = await startCluster(
    Array.from({ length: NAMESPACES }, (_, i) => namespaceOf(i)),
    set.secrets,
    set.rootPem,
  );
  try {
    const home = cluster.environment["HOME"] ?? "";
    writeFileSync(
      join(home, "names"),
      set.secrets
        .slice(0, SAMPLE)
        .map(({ namespace, name }) => `${namespace} ${name}\n`)
        .join(""),
    );
    writeFileSync(join(home, "root.pem"), set.rootPem);
    const run = await best(3, async () => cluster.audit(COUNT, true));
    const loop = await measure("sh", ["-c", LOOP], {
      env: { ...cluster.environment, PATH: `${join(kubectl, "..")}:${process.env["PATH"]}` },
    });
    if (loop.code !== 0) throw new Error(`the loop failed:\n${loop.stderr}`);
    const all = (loop.seconds / SAMPLE) * COUNT;
    putRow({
      what: `${COUNT} TLS Secrets against a loop of kubectl and openssl`,
      hold: `${TIMES} times faster`,
      measured:
        `${Math.round(all / run.seconds)} times: ${seconds(run.seconds)} against ` +
        `${Math.round(all)} s (${SAMPLE} took ${seconds(loop.seconds)}, scaled)`,
      holds: all / run.seconds >= TIMES,
    });
  } finally {
    await cluster.stop();
  }
}
