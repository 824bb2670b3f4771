/**
 * A stack that stands already, held against the one that is going to be deployed: where its backups
 * and states are, restores look for them. A deployment that would look elsewhere is refused.
 */
import { parseConfig } from "../lib/config/parse.ts";
import type { Value } from "./names.ts";

interface Stores {
  readonly backups: string;
  readonly state: string;
}

type Environment = Readonly<Record<string, Value>>;

const textOf = (value: Value | undefined): string =>
  typeof value === "string" ? value : String(value?.["Fn::Sub"] ?? "");

function storesOf(environment: Environment): Stores {
  return {
    backups: textOf(environment["CERTKEEP_BACKUPS"]),
    state: textOf(environment["CERTKEEP_STATE"]),
  };
}

/** `template`: as CloudFormation has it; `null`: a stack without functions yet. */
function standingStores(template: string): Stores | null {
  const { Resources } = JSON.parse(template) as {
    readonly Resources?: Readonly<
      Record<
        string,
        { readonly Properties?: { readonly Environment?: { Variables?: Environment } } }
      >
    >;
  };
  const variables = Resources?.["AuditLambdaFunction"]?.Properties?.Environment?.Variables;
  return variables === undefined ? null : storesOf(variables);
}

/**
 * Why the stack can't be updated to these stores; `null`: it can. `config` is the text of
 * certkeep.yaml: backups may be moved to where its `stores.backups` says.
 */
export function refusedSwitch(
  template: string,
  wanted: Environment,
  { stack, config }: { readonly stack: string; readonly config: string | null },
): string | null {
  const standing = standingStores(template);
  if (standing === null) return null;
  const next = storesOf(wanted);
  const set = (text: string): string =>
    `Set ${text} in serverless.yml, under params: for this stage`;
  if (next.state !== standing.state) {
    const bucket = /^s3:\/\/([^/]+)\//.exec(standing.state)?.[1] ?? "";
    return (
      `stack ${stack}: its states are in ${shown(standing.state)}, and this deployment would use ` +
      `${shown(next.state)}. ` +
      `${set(bucket.includes("$") ? 'stateBucket: ""' : `stateBucket: ${bucket}`)}.`
    );
  }
  if (next.backups === standing.backups || isMeant(next.backups, config)) return null;
  return (
    `stack ${stack}: its backups are in ${shown(standing.backups)}, and this deployment would ` +
    `use ${shown(next.backups)}, so that restores find none of them. ` +
    `${set(`backups: ${/^\w+/.exec(standing.backups)?.[0] ?? ""}`)}. To move them instead, see ` +
    '"Which store" in docs/aws.md.'
  );
}

const shown = (url: string): string => url.replace("${StateBucket}", "the stack's own bucket");

/** Whether certkeep.yaml says that backups are to be there. */
function isMeant(url: string, config: string | null): boolean {
  const parsed = config === null ? null : parseConfig(config, "certkeep.yaml");
  const named = parsed?.ok === true ? parsed.config.stores.backups : null;
  if (named === null) return false;
  return url.startsWith("s3://") ? /^s3:\/\/[^/]+\/backups\/?$/.test(named) : named === url;
}
