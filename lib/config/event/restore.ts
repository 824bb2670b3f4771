/**
 * What the restoring function is asked for. Strict: a field that isn't known is refused, since a misspelt one would
 * restore something else than was meant. Pure.
 */
import { parseInstantOrNull } from "../../certificate/time.ts";
import { CertkeepError } from "../../error.ts";
import { FORCIBLE, isPlanCode, type PlanCode } from "../../restoreplan/code.ts";
import { LABEL } from "../form.ts";
import { described, isSecretive, pathText } from "../problem.ts";
import { meant } from "../suggest.ts";

/** A restore as it is asked for; what isn't said is `null`, empty or `false`. */
export interface RestoreEvent {
  readonly cluster: string;
  /** Domains, Secrets, `namespace/secret`, patterns. */
  readonly names: readonly string[];
  readonly namespace: string | null;
  readonly all: boolean;
  /** RFC 3339. */
  readonly asOf: string | null;
  readonly version: string | null;
  /** `false`: a plan. */
  readonly apply: boolean;
  readonly unrecorded: boolean;
  readonly standby: boolean;
  readonly force: readonly PlanCode[];
  readonly replace: boolean;
  readonly createNamespace: boolean;
  readonly fromCluster: string | null;
}

const MAX_NAMES = 1000;
const MAX_LENGTH = 512;

const isText = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= MAX_LENGTH;
const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
const isLabel = (value: unknown): value is string => typeof value === "string" && LABEL.test(value);
const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) &&
  value.length <= MAX_NAMES &&
  value.every((name) => isText(name) && !isSecretive(name));
const isForce = (value: unknown): value is PlanCode[] =>
  Array.isArray(value) &&
  value.every((code) => typeof code === "string" && isPlanCode(code) && FORCIBLE.includes(code));

const CLUSTER = "the name of a registered cluster";
const FLAG = "true or false";

/** What may be said, and what it has to be. */
const FIELDS: Readonly<
  Record<
    keyof RestoreEvent,
    { readonly fits: (value: unknown) => boolean; readonly expected: string }
  >
> = {
  cluster: { fits: isLabel, expected: CLUSTER },
  names: {
    fits: isNames,
    expected: `a list of domains, Secrets, NAMESPACE/SECRET or patterns, at most ${MAX_NAMES}, none of them a key or token`,
  },
  namespace: { fits: isLabel, expected: "a namespace" },
  all: { fits: isFlag, expected: FLAG },
  asOf: {
    fits: (value) => typeof value === "string" && parseInstantOrNull(value) !== null,
    expected: "an instant such as 2026-12-24T18:00:00Z",
  },
  version: {
    fits: (value) => typeof value === "string" && /^[0-9a-f]{8,64}$/i.test(value),
    expected: "the version of a copy, or its first 8 digits at least",
  },
  apply: {
    fits: isFlag,
    expected:
      "true, in small letters and without quotes, to restore; false, or left out, for a plan",
  },
  unrecorded: { fits: isFlag, expected: FLAG },
  standby: { fits: isFlag, expected: FLAG },
  force: {
    fits: isForce,
    expected: `a list of what is to be overridden, of: ${FORCIBLE.join(", ")}`,
  },
  replace: { fits: isFlag, expected: FLAG },
  createNamespace: { fits: isFlag, expected: FLAG },
  fromCluster: { fits: isLabel, expected: CLUSTER },
};
const NAMES = Object.keys(FIELDS);

/** Fields that somebody may know from the command line, with what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  rebuilt:
    "That a cluster was rebuilt is for a person to say: certkeep clusters add NAME --rebuilt    The function then restores to the successor",
  as: "Another place is named on the command line: certkeep restore CLUSTER NAME --as NAMESPACE/NAME",
  follow:
    "Run it again while the cluster comes up: it does what is left. Or follow it from the command line: certkeep restore CLUSTER --all --apply --follow 30m",
  identity: "Where the identity is, the deployment says",
};

const EXAMPLE = '{"cluster": "prod", "names": ["shop.example.com"], "apply": true}';

/** @throws CertkeepError usage, naming the field */
export function parseRestoreEvent(event: unknown): RestoreEvent {
  const wrong = (
    field: string | null,
    found: string,
    expected: string,
    todo?: string,
  ): CertkeepError =>
    new CertkeepError("usage", {
      where: field === null ? "restore event" : `restore event, ${pathText([field])}`,
      found,
      expected,
      ...(todo === undefined ? {} : { todo }),
    });
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw wrong(null, described(event, null, true), `an object such as ${EXAMPLE}`);
  const given = event as Readonly<Record<string, unknown>>;
  for (const field of Object.keys(given)) {
    if (Object.hasOwn(FIELDS, field)) continue;
    const near = meant(field, NAMES);
    const todo = Object.hasOwn(ELSEWHERE, field)
      ? ELSEWHERE[field]
      : near === null
        ? undefined
        : `Did you mean "${near}"?`;
    throw wrong(field, "a field that doesn't exist", `one of ${NAMES.join(", ")}`, todo);
  }
  for (const [field, { fits, expected }] of Object.entries(FIELDS)) {
    const value = given[field];
    if (value === undefined && field !== "cluster") continue;
    if (!fits(value)) throw wrong(field, described(value, null, true), expected);
  }
  const {
    names = [],
    all = false,
    namespace = null,
    version = null,
    asOf = null,
  } = given as Partial<RestoreEvent>;
  if (names.length === 0 && !all && namespace === null && version === null && asOf === null)
    throw wrong(null, "nothing to restore", `names, namespace, version, or all, as in ${EXAMPLE}`);
  const flag = (field: keyof RestoreEvent): boolean => given[field] === true;
  return {
    cluster: given["cluster"] as string,
    names,
    namespace,
    all,
    asOf,
    version,
    apply: flag("apply"),
    unrecorded: flag("unrecorded"),
    standby: flag("standby"),
    force: (given["force"] as readonly PlanCode[] | undefined) ?? [],
    replace: flag("replace"),
    createNamespace: flag("createNamespace"),
    fromCluster: (given["fromCluster"] as string | undefined) ?? null,
  };
}

/** The words of the command that asks for the same, `certkeep restore` left out. */
export function restoreWords(event: RestoreEvent): readonly string[] {
  const flag = (name: string, on: boolean): string[] => (on ? [name] : []);
  const value = (name: string, text: string | null): string[] =>
    text === null ? [] : [name, text];
  return [
    event.cluster,
    ...event.names,
    ...flag("--all", event.all),
    ...value("--namespace", event.namespace),
    ...value("--as-of", event.asOf),
    ...value("--version", event.version),
    ...value("--from-cluster", event.fromCluster),
    ...flag("--create-namespace", event.createNamespace),
    ...flag("--replace", event.replace),
    ...flag("--unrecorded", event.unrecorded),
    ...flag("--standby", event.standby),
    ...event.force.flatMap((code) => ["--force", code]),
    ...flag("--apply", event.apply),
  ];
}
