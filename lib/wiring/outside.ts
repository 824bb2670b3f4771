/**
 * What is asked of others than the clusters, as `sources:` switches it on; nothing of it is made
 * without.
 */
import { createRenewalInfo } from "../adapters/acme/renewalinfo.ts";
import { createRevocationSource } from "../adapters/crl/source.ts";
import { createCertSpotter } from "../adapters/ct/certspotter.ts";
import { createWebReader } from "../adapters/web.ts";
import type { Config, TransparencySetting } from "../config/schema.ts";
import { CertkeepError } from "../error.ts";
import type { TransparencySource } from "../ports/outside.ts";
import type { OutsidePorts } from "../usecases/audit/context.ts";
import { createRevocationLists } from "../usecases/revocation.ts";
import type { SecretValues } from "../ports/registry.ts";
import { readReference } from "./reference.ts";
import type { World } from "./settings.ts";

/** Of one list in an audit, which may need many: Let's Encrypt's shards have some hundred kB. */
const LIST_BYTES = 8 * 1024 * 1024;

export interface OutsideWorld extends Pick<World, "env"> {
  readonly progress: { note(message: string): void };
  readonly signal?: AbortSignal;
}

/** `null` where nothing is switched on. */
export async function composeOutside(
  { config, secrets }: { readonly config: Pick<Config, "sources">; readonly secrets: SecretValues },
  world: OutsideWorld,
): Promise<OutsidePorts | null> {
  const { transparency, renewalInfo, revocation } = config.sources;
  if (transparency === null && !renewalInfo && !revocation) return null;
  return {
    transparency:
      transparency === null
        ? null
        : { source: await logSearch(transparency, secrets, world), domains: transparency.domains },
    renewalInfo: renewalInfo ? createRenewalInfo(createWebReader()) : null,
    endsIn: (ms) => AbortSignal.timeout(ms),
    revocation: revocation
      ? createRevocationLists(
          createRevocationSource({
            ...(world.signal === undefined ? {} : { signal: world.signal }),
            maxBytes: LIST_BYTES,
          }),
        )
      : null,
  };
}

/**
 * A token that can't be read is no reason to ask without: it would be held against whoever else
 * asks from here.
 */
async function logSearch(
  { url, token }: TransparencySetting,
  secrets: SecretValues,
  { env, progress }: OutsideWorld,
): Promise<TransparencySource> {
  const at = url === null ? {} : { url };
  if (token === null) return createCertSpotter(createWebReader(), at);
  const read = await readToken(token, env, secrets);
  if ("token" in read) return createCertSpotter(createWebReader(), { ...at, token: read.token });
  progress.note(
    new CertkeepError("config_invalid", {
      where: `sources.transparency.token: ${token}`,
      found: read.found,
      todo:
        "Put an API token of Cert Spotter there. certkeep doesn't ask certificate logs until " +
        "then",
    }).message,
  );
  return {
    name: createCertSpotter(createWebReader(), at).name,
    page: async () => ({ ok: false, code: "forbidden", retryMs: null }),
  };
}

async function readToken(
  reference: string,
  env: World["env"],
  secrets: SecretValues,
): Promise<{ readonly token: string } | { readonly found: string }> {
  const referred = await readReference(reference, { env, secrets });
  if (!referred.ok) return { found: referred.found };
  const token = Buffer.from(referred.bytes).toString("utf8").trim();
  return /^[\x21-\x7e]{1,500}$/.test(token) ? { token } : { found: "the text isn't a token" };
}
