/**
 * The certkeep.yaml that is going to be packaged, checked before anything is made: what is wrong in
 * it fails every function.
 */
import { parseConfig } from "../lib/config/parse.ts";
import { invalidConfig } from "../lib/config/problem.ts";
import { refuseUnpackaged } from "../lib/config/deployed.ts";
import { isCertkeepError } from "../lib/error.ts";

const NAME = "certkeep.yaml";
const INIT = "certkeep init --aws";

export interface Look {
  /** Why nothing can be made of it; `null`: it can. */
  readonly mistake: string | null;
  /** What whoever deploys should know. */
  readonly notes: readonly string[];
}

/** `text`: the file's, or `null` where there is none, which packaging alone does without. */
export function lookAtConfig(text: string | null, packagingAlone: boolean): Look {
  if (text === null) {
    const absent =
      `${NAME}: there is none beside serverless.yml, and the functions need one. Make ` +
      `it: ${INIT}`;
    return packagingAlone ? { mistake: null, notes: [absent] } : { mistake: absent, notes: [] };
  }
  const parsed = parseConfig(text, NAME);
  if (!parsed.ok) return { mistake: invalidConfig(NAME, parsed.problems).message, notes: [] };
  try {
    refuseUnpackaged(parsed.config, NAME);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return { mistake: error.message, notes: [] };
  }
  return {
    mistake: null,
    notes:
      parsed.config.recipients.length > 0
        ? []
        : [`${NAME} names no recipients: nothing will be backed up. ${INIT} makes a key`],
  };
}
