/** What is asked of others than the clusters, as `sources:` switches it on; nothing of it is made without. */
import { readFile } from "node:fs/promises";
import { createRenewalInfo } from "../adapters/acme/renewalinfo.ts";
import { createRevocationSource } from "../adapters/crl/source.ts";
import { createCertSpotter } from "../adapters/ct/certspotter.ts";
import { createWebReader } from "../adapters/web/get.ts";
import type { Config, TransparencySetting } from "../config/config.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import type { TransparencySource } from "../ports/transparency.ts";
import type { OutsidePorts } from "../use/audit/context.ts";
import { createRevocationLists } from "../use/revocation.ts";
import { isSecretReference, secretName } from "../config/registered.ts";
import type { SecretValues } from "../ports/secrets.ts";
import type { World } from "./settings.ts";

/** Of one list in an audit, which may need many: Let's Encrypt's shards have some hundred kB. */
const LIST_BYTES = 8 * 1024 * 1024;

export interface OutsideWorld extends Pick<World, "env"> {
  readonly progress: { note(message: string): void };
  readonly signal?: AbortSignal;
}

/** `null` where nothing is switched on. */
export async function composeOutside({ config, secrets }: { readonly config: Pick<Config, "sources">; readonly secrets: SecretValues }, world: OutsideWorld): Promise<OutsidePorts | null> {
  const { transparency, renewalInfo, revocation } = config.sources;
  if (transparency === null && !renewalInfo && !revocation) return null;
  return {
    transparency: transparency === null ? null : { source: await logSearch(transparency, secrets, world), domains: transparency.domains },
    renewalInfo: renewalInfo ? createRenewalInfo(createWebReader()) : null,
    revocation: revocation ? createRevocationLists(createRevocationSource({ ...(world.signal === undefined ? {} : { signal: world.signal }), maxBytes: LIST_BYTES })) : null,
  };
}

/** A token that can't be read is no reason to ask without: it would be held against whoever else asks from here. */
async function logSearch({ url, token }: TransparencySetting, secrets: SecretValues, { env, progress }: OutsideWorld): Promise<TransparencySource> {
  const at = url === null ? {} : { url };
  if (token === null) return createCertSpotter(createWebReader(), at);
  const read = await readToken(token, env, secrets);
  if ("token" in read) return createCertSpotter(createWebReader(), { ...at, token: read.token });
  progress.note(new CertkeepError("config_invalid", { where: `sources.transparency.token: ${token}`, found: read.found, expected: "an API token of Cert Spotter there", todo: "Certificate logs are not asked until then" }).message);
  return { name: createCertSpotter(createWebReader(), at).name, page: async () => ({ ok: false, code: "forbidden", retryMs: null }) };
}

async function readToken(reference: string, env: World["env"], secrets: SecretValues): Promise<{ readonly token: string } | { readonly found: string }> {
  let text: string | undefined;
  if (reference.startsWith("env:")) text = env[reference.slice("env:".length)];
  else if (reference.startsWith("file:")) {
    try {
      text = await readFile(reference.slice("file:".length), "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return { found: code === "ENOENT" ? "no such file" : `a file that can't be read (${code ?? "unknown"})` };
    }
  } else if (isSecretReference(reference)) {
    try {
      text = (await secrets.read(secretName(reference))) ?? undefined;
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      return { found: `a secret that can't be read (${error.code})` };
    }
  } else return { found: "a kind of reference that isn't read from here" };
  const token = text?.trim() ?? "";
  if (token === "") return { found: "nothing" };
  return /^[\x21-\x7e]{1,500}$/.test(token) ? { token } : { found: "a text that is no token" };
}
