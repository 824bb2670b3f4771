/**
 * Publishes the deployment's configuration, so that `--config s3://…` reads what the functions go by. Written only where
 * it differs. Done once everything is queued: what keeps it from being written fails the run, so that an alarm tells of
 * it, and no audit waits for that.
 */
import type { Published } from "../../config/publish.ts";
import type { Log } from "../../ports/runtime.ts";
import type { SharedText } from "../../ports/stores.ts";

/** @throws CertkeepError for what the store does */
export async function publishConfig(
  published: Published,
  place: SharedText,
  log: Log,
): Promise<void> {
  if ((await place.read()) === published.text) return;
  await place.write(published.text);
  log.info("published the configuration", { url: place.url });
  if (published.leftOut.length > 0)
    log.warn("left out of it, since only one machine can follow it", {
      settings: published.leftOut.join(", "),
    });
}
