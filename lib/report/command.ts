/**
 * Actions as commands for pasting. Text from a cluster never becomes an instruction: only what
 * `fitsCommand` takes is put in; where something doesn't fit there is no command.
 */
import { formatMs } from "../certificate/time.ts";
import type { Action, RestoreAction, RestoreFunction, Via } from "../finding/action.ts";
import { type Finding, findingRef } from "../finding/finding.ts";
import type { PlanCode } from "../restoreplan/objection.ts";
import type { RestartAction } from "../restoreplan/item.ts";

/**
 * The longest that a function may take. After a minute without an answer the AWS command line would
 * ask again.
 */
const READ_TIMEOUT_SECONDS = 900;

/** Fields of the restoring function's event, as lib/config/event.ts takes them. */
export type InvokePayload = Readonly<Record<string, string | true | readonly string[]>>;

/** `null` where a word in it doesn't fit a command. */
export function invokeLine(
  { name, region }: RestoreFunction,
  payload: InvokePayload,
): string | null {
  const words = [
    name,
    region,
    ...Object.values(payload).flatMap((value) => (value === true ? [] : value)),
  ];
  if (!words.every(fitsCommand)) return null;
  return (
    `aws lambda invoke --function-name ${name} --region ${region} --cli-read-timeout ` +
    `${READ_TIMEOUT_SECONDS} --cli-binary-format raw-in-base64-out --payload ` +
    `'${JSON.stringify(payload)}' /dev/stdout`
  );
}

function payloadOf(restore: RestoreAction): InvokePayload {
  const { cluster, names, all, namespace, createNamespace, replace, standby } = restore;
  return {
    cluster,
    ...(all ? { all } : {}),
    ...(namespace === null ? {} : { namespace }),
    ...(createNamespace ? { createNamespace } : {}),
    ...(replace ? { replace } : {}),
    ...(standby ? { standby } : {}),
    ...(names.length === 0 ? {} : { names }),
  };
}

/** The same restore by the function on AWS, carried out; `null` where a name doesn't fit. */
export function invokeRestore(by: RestoreFunction, restore: RestoreAction): string | null {
  return invokeLine(by, { ...payloadOf(restore), apply: true });
}

/** What else a person or an event may have asked of a restore; what is absent wasn't asked. */
export interface RestoreOptions {
  readonly asOfMs?: number | null;
  readonly version?: string | null;
  readonly as?: { readonly namespace: string; readonly name: string } | null;
  readonly rebuilt?: boolean;
  readonly fromCluster?: string | null;
  readonly identity?: string | null;
  readonly unrecorded?: boolean;
  readonly force?: readonly PlanCode[];
  readonly config?: string | null;
  /** A context that stands instead of the cluster's name. */
  readonly context?: string | null;
  readonly kubeconfig?: string | null;
  readonly follow?: string | null;
  readonly apply?: boolean;
}

/** The command that asks for this restore; `null` where a name doesn't fit one. */
export function restoreCommand(
  restore: Omit<RestoreAction, "kind">,
  options: RestoreOptions = {},
): string | null {
  const flag = (name: string, on: boolean | undefined): Literal[] =>
    on === true ? [literal(name)] : [];
  const value = (name: string, given: string | null | undefined): (Literal | string)[] =>
    given == null ? [] : [literal(name), given];
  const { asOfMs, as } = options;
  const context = options.context ?? restore.via?.context;
  return commandLine(
    literal("certkeep restore"),
    ...(context == null ? [restore.cluster] : []),
    ...restore.names,
    ...flag("--all", restore.all),
    ...value("--namespace", restore.namespace),
    ...value("--as-of", asOfMs == null ? null : formatMs(asOfMs)),
    ...value("--version", options.version),
    ...value("--as", as == null ? null : `${as.namespace}/${as.name}`),
    ...flag("--rebuilt", options.rebuilt),
    ...value("--from-cluster", options.fromCluster),
    ...value("--identity", options.identity),
    ...flag("--create-namespace", restore.createNamespace),
    ...flag("--replace", restore.replace),
    ...flag("--unrecorded", options.unrecorded),
    ...flag("--standby", restore.standby),
    ...(options.force ?? []).flatMap((code) => [literal("--force"), code]),
    ...value("--context", context),
    ...value("--kubeconfig", options.kubeconfig ?? restore.via?.kubeconfig),
    ...value("--config", options.config ?? restore.via?.config),
    ...value("--follow", options.follow),
    ...flag("--apply", options.apply),
  );
}

/** The command that makes pods read a Secret again; `null` where a name doesn't fit one. */
export function restartCommand(action: RestartAction): string | null {
  const kubectl = [literal("kubectl -n"), action.namespace];
  return action.kind === "rollout"
    ? commandLine(...kubectl, literal(`rollout restart ${action.of}`), action.name)
    : commandLine(...kubectl, literal("delete pod"), action.pod);
}

const FIXED = {
  drill: "certkeep drill",
  init: "certkeep init",
  clustersAddFirst: "certkeep clusters add NAME --context CTX",
  digest: "certkeep digest",
  report: "certkeep report",
  sendTest: "certkeep doctor --send-test",
  bindings: "kubectl get clusterrolebindings,rolebindings --all-namespaces -o wide",
  clock: "timedatectl status",
  apiServices: "kubectl get apiservices",
} as const satisfies Partial<Record<Action["kind"], string>>;

const BROUGHT = {
  role: "--restore-role ARN",
  credentials: "--credential FILE --restore-credential FILE",
} as const;

const ADD: Literal = { literal: "certkeep clusters add" };
const SECRET: Literal = { literal: "--secret NAMESPACE/NAME" };

function registerCommand(action: Extract<Action, { readonly kind: "clustersAdd" }>): string | null {
  return commandLine(
    ADD,
    action.cluster,
    ...administratorWords(action.via, action.context),
    ...(action.rebuilt ? [literal("--rebuilt")] : []),
    ...(action.brings === true ? [literal("--credential FILE")] : []),
  );
}

function clusterWords({
  cluster,
  via,
}: {
  readonly cluster: string | null;
  readonly via?: Via | undefined;
}): readonly (Literal | string)[] {
  const { context = null, kubeconfig = null } = via ?? {};
  return [
    ...(context === null ? [] : [literal("--context"), context]),
    ...(context !== null || cluster === null ? [] : [cluster]),
    ...(kubeconfig === null ? [] : [literal("--kubeconfig"), kubeconfig]),
  ];
}

/** The context that a person named, whose rights the command needs. */
function administratorWords(via: Via | undefined, context = via?.context): (Literal | string)[] {
  if (context == null) return [];
  const kubeconfig = via?.kubeconfig ?? null;
  return [
    literal("--context"),
    context,
    ...(kubeconfig === null ? [] : [literal("--kubeconfig"), kubeconfig]),
  ];
}

/** Of other programs, or with `--config` already. */
const WITHOUT_CONFIG: ReadonlySet<Action["kind"]> = new Set([
  "restore",
  "invoke",
  "clusterInfo",
  "moveAway",
  "chmod",
  "subscribe",
  "bindings",
  "clock",
  "apiServices",
]);

/** The command that does it; `null` where a name doesn't fit one. */
export function commandOf(action: Action): string | null {
  const command = commandWithout(action);
  const config = action.via?.config ?? null;
  if (config === null || command === null || WITHOUT_CONFIG.has(action.kind)) return command;
  // It writes a file.
  if (action.kind === "init" && config.startsWith("s3://")) return command;
  const words = commandLine(...configWords(action.via));
  return words === null ? null : `${command} ${words}`;
}

export function configWords(via: Via | undefined): readonly (Literal | string)[] {
  const config = via?.config ?? null;
  return config === null ? [] : [literal("--config"), config];
}

function commandWithout(action: Action): string | null {
  switch (action.kind) {
    case "restore":
      return restoreCommand(action);
    case "invoke":
      return invokeLine(action.by, payloadOf(action.restore));
    case "explain":
      return commandLine(literal("certkeep explain"), action.name);
    case "audit":
      return commandLine(literal("certkeep audit"), ...clusterWords(action));
    case "doctor":
      return commandLine(literal("certkeep doctor"), ...clusterWords(action));
    case "clustersAdd":
      return registerCommand(action);
    case "addParts":
      return commandLine(
        ADD,
        action.cluster,
        ...action.parts.flatMap((part) => [literal("--with"), part]),
        ...administratorWords(action.via),
        ...(action.brings === undefined ? [] : [literal(BROUGHT[action.brings])]),
      );
    case "clusterInfo":
      return commandLine(
        literal("kubectl"),
        ...clusterWords({ ...action, cluster: null }),
        literal("cluster-info"),
      );
    case "nameSecret":
      return commandLine(ADD, action.cluster, SECRET, ...administratorWords(action.via));
    case "clustersRemove":
      return commandLine(literal("certkeep clusters remove"), action.cluster);
    case "pin":
      return commandLine(
        literal("certkeep restore"),
        ...clusterWords(action),
        literal("--rebuilt --all --apply"),
      );
    case "backups":
      return commandLine(literal("certkeep backups"), `${action.version}*`);
    case "moveAway":
      return action.path.startsWith("s3://")
        ? commandLine(literal("aws s3 mv"), action.path, action.to)
        : commandLine(literal("mv -n"), action.path, action.to);
    case "chmod":
      return commandLine(literal("chmod 600"), action.path);
    case "subscribe":
      return commandLine(
        literal("aws sns subscribe --topic-arn"),
        action.topic,
        literal("--protocol email --notification-endpoint ADDRESS"),
      );
    default:
      return FIXED[action.kind];
  }
}

/**
 * A finding's command; where a name in it doesn't fit, the one that explains the finding by its
 * reference.
 */
export function findingCommand(finding: Finding): string | null {
  const [first] = finding.actions;
  if (first === undefined) return null;
  return commandOf(first) ?? commandOf({ ...first, kind: "explain", name: findingRef(finding) });
}

/** Whether its command only explains it, and doesn't do what is advised. */
export function isOnlyExplained({ actions: [first] }: Finding): boolean {
  return first !== undefined && (first.kind === "explain" || commandOf(first) === null);
}

/** The same restore by the function on AWS, where there is one and every name fits. */
export function findingInvoke({ actions }: Finding): string | null {
  const invoke = actions.find(({ kind }) => kind === "invoke");
  return invoke === undefined ? null : commandOf(invoke);
}

/**
 * Commands that are offered for pasting. Text from a cluster never becomes an instruction: a word
 * is taken only if it consists of `[A-Za-z0-9._/*:=@-]` and a name begins with neither `-` nor `@`;
 * `*` is single-quoted.
 */
const WORD = /^[A-Za-z0-9._/*:=@-]+$/;

/** A word that certkeep itself chose, such as `restore` or `--apply`. */
export interface Literal {
  readonly literal: string;
}

export function literal(text: string): Literal {
  return { literal: text };
}

export function fitsCommand(name: string): boolean {
  return WORD.test(name) && !name.startsWith("-") && !name.startsWith("@");
}

function quote(word: string): string {
  return word.includes("*") ? `'${word}'` : word;
}

/**
 * `certkeep restore prod shop.example.ts.net`: literals are split at spaces and taken as they are,
 * strings are names. `null` where a name doesn't fit: the caller then names the finding or the
 * version instead.
 */
export function commandLine(...words: (Literal | string)[]): string | null {
  const out: string[] = [];
  for (const word of words) {
    if (typeof word === "string") {
      if (!fitsCommand(word)) return null;
      out.push(quote(word));
      continue;
    }
    for (const part of word.literal.split(" ")) {
      if (!WORD.test(part)) return null;
      out.push(quote(part));
    }
  }
  return out.join(" ");
}
