/** Publishes the deployment's configuration, so that `--config s3://…` reads what the functions go by. Written only where it differs. */
import { isCertkeepError } from "../error.ts";
import type { Published } from "../config/publish.ts";
import type { Log } from "../ports/log.ts";
import type { SharedText } from "../ports/text.ts";

/** Never throws for what the store does: who audits doesn't depend on it. @returns whether it is there as it should be */
export async function publishConfig(published: Published, place: SharedText, log: Log): Promise<boolean> {
  try {
    if ((await place.read()) === published.text) return true;
    await place.write(published.text);
    log.info("published the configuration", { url: place.url });
    if (published.leftOut.length > 0) log.warn("left out of it, since only one machine can follow it", { settings: published.leftOut.join(", ") });
    return true;
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    log.error("the configuration is not published", { url: place.url, code: error.code, problem: error.message });
    return false;
  }
}
