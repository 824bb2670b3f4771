/** The digesting function with its concrete parts: names of the registry, the states, the routes' webhooks. */
import type { DigestFunctionPorts, DigestWork } from "../../usecases/function/digest.ts";
import { composeDigest } from "../digest.ts";
import type { FunctionRun } from "./run.ts";

/** @throws CertkeepError config_invalid, store_unavailable */
export async function composeDigestFunction(
  run: FunctionRun,
): Promise<{ readonly ports: DigestFunctionPorts; readonly work: DigestWork }> {
  const { ports, scope, settings, routes, digestPorts } = await composeDigest(
    { ...run, deployed: true, atNs: null },
    true,
  );
  return {
    ports: {
      log: run.log,
      metrics: run.metrics,
      report: ports,
      digest: { ...digestPorts, ...(run.signal === undefined ? {} : { signal: run.signal }) },
    },
    work: { scope, settings, routes, intervalMinutes: run.intervalMinutes },
  };
}
