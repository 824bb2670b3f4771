/** What `explain` needs: the states' store, the known issuers and limits. No cluster is asked. */
import type { Config } from "../config/schema.ts";
import { BUILT_IN_ISSUERS } from "../issuer/issuers.ts";
import type { AcrossPorts } from "../usecases/across.ts";
import { configuredIssuers, limitOverrides } from "./kit.ts";
import { composeSettings, type World } from "./settings.ts";

export interface ExplainWorld extends World {
  readonly nowMs: () => number;
  /** An instant to tell of; `null`: now. */
  readonly atMs: number | null;
}

/** @throws CertkeepError config_missing, config_invalid */
export async function composeExplain(
  world: ExplainWorld,
): Promise<{ readonly config: Config; readonly ports: AcrossPorts }> {
  const { config, stores } = await composeSettings({ ...world, reach: "none" });
  const nowMs = world.nowMs();
  return {
    config,
    ports: {
      states: stores.states,
      clock: { nowMs: () => world.atMs ?? nowMs },
      wall: { nowMs: () => nowMs },
      kit: { issuers: [...BUILT_IN_ISSUERS, ...configuredIssuers(config)] },
      overrides: limitOverrides(config),
    },
  };
}
