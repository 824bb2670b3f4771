/** A cluster that somebody named and nobody registered. */
import { meant } from "../config/suggest.ts";
import { CertkeepError } from "../error.ts";

/** `names`: those that there are. `registry`: where they are registered; `null`: in the configuration. */
export function unknownCluster(
  cluster: string,
  names: readonly string[],
  registry: string | null,
): CertkeepError {
  const near = meant(cluster, names);
  return new CertkeepError("usage", {
    where: `cluster ${cluster}`,
    found: `no such cluster in ${registry ?? "the configuration"}`,
    expected: names.length === 0 ? "one that is registered" : `one of: ${names.join(", ")}`,
    todo:
      near === null
        ? `Register it: certkeep clusters add ${cluster} --context CTX`
        : `Did you mean ${near}?`,
  });
}
