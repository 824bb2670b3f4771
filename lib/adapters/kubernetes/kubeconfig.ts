/**
 * Kubeconfig files: found, merged and read as kubectl does, into a `Connection`.
 *
 * Each mistake is one `CertkeepError` that names file and entry; entries that the wanted context
 * doesn't lead to may be broken. Nothing of a file's text is put into a message, since any of it
 * may be a secret.
 */
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { closest, distance } from "fastest-levenshtein";
import { Composer, LineCounter } from "yaml";
import { KUBERNETES_YAML, tokensOf } from "../../config/tokens.ts";
import { utf8Of } from "../../encoding.ts";
import { CertkeepError } from "../../error.ts";
import { type Connection, printable } from "./connection.ts";
import { connectionOf } from "./context.ts";
import type { ConnectOptions, KubeconfigEntry } from "./entry.ts";
import { KUBECONFIG_BYTES, KUBECONFIG_LIMITS } from "./kubeconfigtokens.ts";
import { type Fields, fieldsOf, listOf, textOf } from "./parse.ts";
import { readFileAtMost, whyUnread } from "../readfile.ts";
import { inClusterConnection, isInCluster } from "./credential.ts";

export interface KubeconfigOptions extends ConnectOptions {
  /**
   * Explicit files; default: those of KUBECONFIG, else `.kube/config` in the home folder, else the
   * pod's service account.
   */
  readonly files?: readonly string[];
  /** Default: `current-context`. */
  readonly context?: string;
  /** `null` where there is none. */
  readonly homeFolder: string | null;
  /**
   * Bytes of a kubeconfig that are known already; `null`: it is read from the disk. @throws as
   * node:fs
   */
  readonly known?: (file: string) => Promise<Buffer | null>;
}

/** Several kubeconfig files as one. */
export interface Kubeconfig {
  readonly files: readonly string[];
  readonly currentContext: string | null;
  readonly contexts: ReadonlyMap<string, KubeconfigEntry>;
  readonly clusters: ReadonlyMap<string, KubeconfigEntry>;
  readonly users: ReadonlyMap<string, KubeconfigEntry>;
}

function invalid(where: string, found: string, expected?: string, todo?: string): CertkeepError {
  return new CertkeepError("kubeconfig_invalid", {
    where,
    found,
    ...(expected === undefined ? {} : { expected }),
    ...(todo === undefined ? {} : { todo }),
  });
}

function parseYaml(text: string, shown: string): unknown {
  const lines = new LineCounter();
  const read = tokensOf(text, KUBECONFIG_LIMITS, lines);
  if (!read.ok) throw invalid(shown, read.found, "a kubeconfig");
  const composer = new Composer({ ...KUBERNETES_YAML, uniqueKeys: false });
  const [document, second] = composer.compose(read.tokens, true, text.length);
  if (second !== undefined)
    throw invalid(
      shown,
      "several YAML documents",
      "a kubeconfig",
      "Put each into a file of its own",
    );
  const mistake = document?.errors[0];
  if (mistake !== undefined) {
    const at = lines.linePos(mistake.pos[0]);
    throw invalid(
      `${shown}:${at.line}:${at.col}`,
      `broken YAML (${mistake.code})`,
      "a kubeconfig",
      "Fix the file, or fetch it again",
    );
  }
  if (text.trim() === "") throw invalid(shown, "an empty file", "a kubeconfig");
  try {
    return document?.toJS({ maxAliasCount: 100 });
  } catch {
    throw invalid(shown, "YAML aliases that can't be resolved", "a kubeconfig");
  }
}

/**
 * Reads the text of one kubeconfig; `file` names it in messages and is where relative paths begin.
 * @throws {CertkeepError}
 */
export function parseKubeconfig(text: string, file: string): Kubeconfig {
  const shown = printable(file, 300);
  const root = fieldsOf(parseYaml(text, shown));
  if (
    !("contexts" in root) &&
    !("clusters" in root) &&
    !("users" in root) &&
    !("current-context" in root) &&
    root["kind"] !== "Config"
  ) {
    throw invalid(
      shown,
      "a file without contexts, clusters and users",
      "a kubeconfig (kind: Config)",
    );
  }
  const entries = (list: unknown, key: string): Map<string, KubeconfigEntry> => {
    const found = new Map<string, KubeconfigEntry>();
    for (const item of listOf(list).map(fieldsOf)) {
      const name = textOf(item["name"]);
      if (name !== null && !found.has(name))
        found.set(name, { name, file, fields: fieldsOf(item[key]) });
    }
    return found;
  };
  const current = textOf(root["current-context"]);
  return {
    files: [file],
    currentContext: current === "" ? null : current,
    contexts: entries(root["contexts"], "context"),
    clusters: entries(root["clusters"], "cluster"),
    users: entries(root["users"], "user"),
  };
}

/** The first file that says something wins, as in client-go (tools/clientcmd/loader.go, `Load`). */
function merge(configs: readonly Kubeconfig[]): Kubeconfig {
  const together = (
    pick: (config: Kubeconfig) => ReadonlyMap<string, KubeconfigEntry>,
  ): Map<string, KubeconfigEntry> => {
    const found = new Map<string, KubeconfigEntry>();
    for (const [name, entry] of configs.flatMap((config) => [...pick(config)]))
      if (!found.has(name)) found.set(name, entry);
    return found;
  };
  return {
    files: configs.flatMap((config) => config.files),
    currentContext:
      configs.find((config) => config.currentContext !== null)?.currentContext ?? null,
    contexts: together((config) => config.contexts),
    clusters: together((config) => config.clusters),
    users: together((config) => config.users),
  };
}

/**
 * Reads a kubeconfig file; `null` where there is none. @throws {CertkeepError} where it can't be
 * read.
 */
async function readKubeconfig(
  file: string,
  known: KubeconfigOptions["known"],
): Promise<Kubeconfig | null> {
  let bytes: Buffer;
  try {
    bytes = (await known?.(file)) ?? (await readFileAtMost(file, KUBECONFIG_BYTES));
  } catch (error) {
    const code = (error as { code?: string }).code ?? "no reason given";
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw invalid(printable(file, 300), `the kubeconfig ${whyUnread(error)}`);
  }
  if (bytes.length > KUBECONFIG_BYTES)
    throw invalid(printable(file, 300), "a file of more than 16 MiB", "a kubeconfig");
  return parseKubeconfig(Buffer.from(utf8Of(bytes)).toString("utf8"), file);
}

/**
 * Finds and reads the kubeconfig files; `null` where none are named and none are in the usual
 * place. @throws {CertkeepError}
 */
export async function loadKubeconfig(
  options: Pick<KubeconfigOptions, "files" | "environment" | "homeFolder" | "known">,
): Promise<Kubeconfig | null> {
  const fromEnvironment = (options.environment["KUBECONFIG"] ?? "")
    .split(delimiter)
    .filter((file) => file !== "");
  const explicit = options.files ?? [];
  const usual = options.homeFolder === null ? [] : [join(options.homeFolder, ".kube", "config")];
  const named = explicit.length > 0 ? explicit : fromEnvironment;
  const files = named.length > 0 ? named : usual;
  const configs: Kubeconfig[] = [];
  for (const file of files) {
    const config = await readKubeconfig(isAbsolute(file) ? file : resolve(file), options.known);
    if (config !== null) configs.push(config);
    else if (explicit.length > 0)
      throw invalid(printable(file, 300), "no such file", "a kubeconfig", "Correct the path");
  }
  if (configs.length > 0) return merge(configs);
  if (named.length > 0)
    throw invalid(
      "KUBECONFIG",
      `none of its files exist: ${named.map((file) => printable(file)).join(", ")}`,
      "at least one kubeconfig",
      "Correct KUBECONFIG, or unset it",
    );
  return null;
}

/** Picks a context. @throws {CertkeepError} `context_unknown`, which lists those there are. */
function selectContext(
  config: Kubeconfig,
  wanted: string | null,
): { readonly name: string; readonly entry: KubeconfigEntry } {
  const name = wanted ?? config.currentContext;
  const names = [...config.contexts.keys()];
  const where = config.files.map((file) => printable(file, 300)).join(", ");
  const list =
    names
      .slice(0, 20)
      .map((item) => printable(item, 100))
      .join(", ") + (names.length > 20 ? ` and ${names.length - 20} more` : "");
  if (name === null) {
    const todo =
      names.length === 0 ? "Fetch a kubeconfig for your cluster" : `Name one of: ${list}`;
    throw new CertkeepError("context_unknown", {
      where,
      found: "no current-context",
      expected: "a context",
      todo,
    });
  }
  const entry = config.contexts.get(name);
  if (entry !== undefined) return { name, entry };
  const near = names.length === 0 ? null : closest(name, names);
  // Half of it otherwise is another name, not a slip.
  const meant = near !== null && distance(name, near) <= Math.max(2, near.length / 2) ? near : null;
  throw new CertkeepError("context_unknown", {
    where,
    found: `no context ${printable(name, 100)}`,
    expected: names.length === 0 ? "a context, but there is none" : `one of: ${list}`,
    ...(meant === null ? {} : { todo: `Did you mean ${printable(meant, 100)}?` }),
  });
}

/** The connection that a kubeconfig's context describes. @throws {CertkeepError} */
export async function connect(
  config: Kubeconfig,
  context: string | null,
  options: ConnectOptions,
): Promise<Connection> {
  const { name, entry } = selectContext(config, context);
  const place = `${printable(entry.file, 300)}, context ${printable(name, 100)}`;
  const find = (
    kind: "cluster" | "user",
    entries: ReadonlyMap<string, KubeconfigEntry>,
  ): KubeconfigEntry => {
    const wanted = textOf(entry.fields[kind]) ?? "";
    if (wanted === "" && kind === "user")
      return { name: "", file: entry.file, fields: {} as Fields };
    const found = entries.get(wanted);
    if (found !== undefined) return found;
    const names = [...entries.keys()]
      .slice(0, 20)
      .map((item) => printable(item, 100))
      .join(", ");
    throw invalid(
      place,
      wanted === ""
        ? `names no ${kind}`
        : `points at ${kind} ${printable(wanted, 100)}, which isn't there`,
      names === "" ? `a ${kind}, but there is none` : `one of: ${names}`,
    );
  };
  return connectionOf(
    {
      name,
      place,
      context: entry,
      cluster: find("cluster", config.clusters),
      user: find("user", config.users),
    },
    options,
  );
}

/**
 * Finds kubeconfig or service account, and the context wanted. @throws {CertkeepError} one plain
 * message for each thing that can be wrong.
 */
export async function loadConnection(options: KubeconfigOptions): Promise<Connection> {
  const config = await loadKubeconfig(options);
  if (config !== null) return connect(config, options.context ?? null, options);
  if (isInCluster(options.environment)) return inClusterConnection(options);
  const usual =
    options.homeFolder === null
      ? "kubeconfig"
      : printable(join(options.homeFolder, ".kube", "config"), 300);
  throw invalid(
    usual,
    "no such file",
    "a kubeconfig",
    "Fetch one for your cluster, or name it with --kubeconfig, KUBECONFIG or in certkeep.yaml",
  );
}
