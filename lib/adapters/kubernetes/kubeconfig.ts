/**
 * Kubeconfig files: found, merged and read as kubectl does, and the files that their entries name.
 *
 * Each mistake is one `CertkeepError` that names file and entry; entries that the wanted context
 * doesn't lead to may be broken. Nothing of a file's text is put into a message, since any of it
 * may be a secret.
 */
import { delimiter, dirname, join, resolve } from "node:path";
import { Composer, LineCounter } from "yaml";
import { KUBERNETES_YAML, tokensOf } from "../../config/tokens.ts";
import { utf8Of } from "../../encoding.ts";
import { CertkeepError } from "../../error.ts";
import { type Fields, fieldsOf, listOf, textOf } from "../../untrusted.ts";
import type { Environment } from "../proxy.ts";
import { readFileAtMost, whyUnread } from "../readfile.ts";
import { printable } from "./connection.ts";
import type { AskProvider } from "./identityprovider.ts";
import { KUBECONFIG_BYTES, KUBECONFIG_LIMITS, type Rewritten } from "./kubeconfigtokens.ts";
import { MAX_PEM_BYTES } from "./proof.ts";

/** An entry and the file that it stands in. */
export interface KubeconfigEntry {
  readonly name: string;
  readonly file: string;
  readonly fields: Fields;
}

export interface ConnectOptions {
  /** For proxies, plugins, KUBECONFIG and the pod's service account. */
  readonly environment: Environment;
  readonly nowMs: () => number;
  /**
   * Whether programs that the kubeconfig names may be run; default `true`, which is for a person's
   * own kubeconfig.
   */
  readonly allowExec?: boolean;
  /** Default 60,000. */
  readonly execTimeoutMs?: number;
  /** Without it, users of an OpenID Connect provider are refused. */
  readonly askProvider?: AskProvider;
  /** Called where new tokens were written into a kubeconfig, with its text before and after. */
  readonly rewritten?: Rewritten;
  /**
   * Whether entries may name files of this machine; default `true`. Not those
   * of a kubeconfig that isn't a file.
   */
  readonly allowFiles?: boolean;
}

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

const ANOTHER = "Fetch the kubeconfig again, or name another one";

/** Several kubeconfig files as one. */
export interface Kubeconfig {
  readonly files: readonly string[];
  readonly currentContext: string | null;
  readonly contexts: ReadonlyMap<string, KubeconfigEntry>;
  readonly clusters: ReadonlyMap<string, KubeconfigEntry>;
  readonly users: ReadonlyMap<string, KubeconfigEntry>;
}

function parseYaml(text: string, shown: string): unknown {
  const lines = new LineCounter();
  const read = tokensOf(text, KUBECONFIG_LIMITS, lines);
  if (!read.ok) throw invalid(shown, `the file has ${read.found}`, ANOTHER);
  const composer = new Composer({ ...KUBERNETES_YAML, uniqueKeys: false });
  const [document, second] = composer.compose(read.tokens, true, text.length);
  if (second !== undefined)
    throw invalid(shown, "the file has several YAML documents", "Put each into its own file");
  const mistake = document?.errors[0];
  if (mistake !== undefined) {
    const at = lines.linePos(mistake.pos[0]);
    throw invalid(
      `${shown}:${at.line}:${at.col}`,
      `the YAML is broken (${mistake.code})`,
      "Fix the file, or fetch it again",
    );
  }
  if (text.trim() === "") throw invalid(shown, "the file is empty", ANOTHER);
  try {
    return document?.toJS({ maxAliasCount: 100 });
  } catch {
    throw invalid(shown, "the file has YAML aliases that can't be resolved", ANOTHER);
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
      "the file isn't a kubeconfig: it has no contexts, clusters and users",
      ANOTHER,
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
    throw invalid(printable(file, 300), `the kubeconfig ${whyUnread(error)}`, ANOTHER);
  }
  if (bytes.length > KUBECONFIG_BYTES)
    throw invalid(printable(file, 300), "the file is larger than 16 MiB", ANOTHER);
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
    const config = await readKubeconfig(resolve(file), options.known);
    if (config !== null) configs.push(config);
    else if (explicit.length > 0)
      throw invalid(printable(file, 300), "there is no such file", "Correct the path");
  }
  if (configs.length > 0) return merge(configs);
  if (named.length > 0)
    throw invalid(
      "KUBECONFIG",
      `none of its files exist: ${named.map((file) => printable(file)).join(", ")}`,
      "Correct KUBECONFIG, or unset it",
    );
  return null;
}

export interface ContextParts {
  readonly name: string;
  /** File and context, for messages. */
  readonly place: string;
  readonly context: KubeconfigEntry;
  readonly cluster: KubeconfigEntry;
  readonly user: KubeconfigEntry;
}

export function invalid(where: string, found: string, todo: string): CertkeepError {
  return new CertkeepError("kubeconfig_invalid", { where, found, todo });
}

/** Else the kubeconfig's author could get a file of the reader sent to the author's server. */
export function namesFile(place: string, key: string): CertkeepError {
  return invalid(
    place,
    `\`${key}\` names a file, which the kubeconfig of a registry can't`,
    "Put the content itself into the kubeconfig",
  );
}

/** Text of `KEY-data` (base64) or of the file that `KEY` names; `null` where neither is there. */
export async function readMaterial(
  entry: KubeconfigEntry,
  key: string,
  place: string,
  allowFiles = true,
): Promise<string | null> {
  const inline = textOf(entry.fields[`${key}-data`]) ?? "";
  if (inline !== "") return Buffer.from(inline, "base64").toString("latin1");
  const named = textOf(entry.fields[key]) ?? "";
  if (named === "") return null;
  if (!allowFiles) throw namesFile(place, key);
  const file = resolve(dirname(entry.file), named);
  try {
    return Buffer.from(utf8Of(await readFileAtMost(file, MAX_PEM_BYTES))).toString("latin1");
  } catch (error) {
    throw invalid(
      place,
      `\`${key}\` names ${printable(file, 300)}, which ${whyUnread(error)}`,
      "Name a PEM file",
    );
  }
}
