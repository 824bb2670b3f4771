/**
 * Memory of `certkeep audit` where there is much that it needn't know: 300 large Secrets that hold
 * no certificate, the same where the metadata doesn't tell what they hold, and 30,000 small ones of
 * which 4 hold certificates.
 */
import { randomBytes } from "node:crypto";
import type { SecretManifest } from "../e2e/support/objects.ts";
import { createCertificates, namespaceOf, NAMESPACES } from "./support/certificates.ts";
import { startCluster } from "./support/cluster.ts";
import { best } from "./support/measure.ts";
import { megabytes, putRow, seconds } from "./support/row.ts";

const PEAK_BYTES = 128e6;
const LARGE = 300;
const SMALL = 30_000;
const HOLDING = 4;
const RUNS = 2;

const set = createCertificates(HOLDING, "P-384", Date.now());
const namespaces = Array.from({ length: NAMESPACES }, (_, i) => namespaceOf(i));

function* large(): Generator<SecretManifest> {
  for (let i = 0; i < LARGE; i += 1)
    yield {
      namespace: namespaceOf(i),
      name: `blob-${i}`,
      data: { blob: randomBytes(1_000_000).toString("base64") },
    };
}

function* small(): Generator<SecretManifest> {
  yield* set.secrets;
  for (let i = HOLDING; i < SMALL; i += 1)
    yield {
      namespace: namespaceOf(i),
      name: `settings-${i}`,
      stringData: { user: `user-${i}`, password: randomBytes(12).toString("hex") },
    };
}

async function under(
  what: string,
  certificates: number,
  cluster: Awaited<ReturnType<typeof startCluster>>,
): Promise<void> {
  const run = await best(RUNS, async () => cluster.audit(certificates, true));
  putRow({
    what,
    hold: `under ${megabytes(PEAK_BYTES)}`,
    measured: `${megabytes(run.peakBytes)}, ${seconds(run.seconds)}`,
    holds: run.peakBytes < PEAK_BYTES,
  });
}

const first = await startCluster(namespaces, large(), set.rootPem);
try {
  await under(`${LARGE} unrelated Secrets of 1 MB`, 0, first);
  for (let i = 0; i < LARGE; i += 1) {
    // An empty entry clears the list (Kubernetes documentation, Server-Side Apply, "Clearing
    // managedFields").
    await first.kube.demand(
      "PATCH",
      `/api/v1/namespaces/${namespaceOf(i)}/secrets/blob-${i}`,
      { metadata: { managedFields: [{}] } },
      { accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" },
    );
  }
  await under(`the same without managedFields: all are read`, 0, first);
} finally {
  await first.stop();
}

const second = await startCluster(namespaces, small(), set.rootPem);
try {
  await under(`${SMALL} Secrets of which ${HOLDING} hold certificates`, HOLDING, second);
} finally {
  await second.stop();
}
