/** Entries of a kubeconfig, and the files that they name. */
import { dirname, isAbsolute, join } from "node:path";
import { utf8Of } from "../../encoding.ts";
import { CertkeepError } from "../../error.ts";
import type { Environment } from "../proxy.ts";
import { readFileAtMost, whyUnread } from "../readfile.ts";
import { printable } from "./connection.ts";
import type { AskProvider } from "./identityprovider.ts";
import { type Fields, textOf } from "./parse.ts";
import { MAX_PEM_BYTES } from "./proof.ts";

/** An entry and the file that it stands in. */
export interface KubeconfigEntry {
  readonly name: string;
  readonly file: string;
  readonly fields: Fields;
}

export type Rewritten = (file: string, before: string, after: string) => Promise<void>;

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
   * Whether entries may name files of this machine; default `true`. A kubeconfig that lies in no
   * file may not.
   */
  readonly allowFiles?: boolean;
}

export interface ContextParts {
  readonly name: string;
  /** File and context, for messages. */
  readonly place: string;
  readonly context: KubeconfigEntry;
  readonly cluster: KubeconfigEntry;
  readonly user: KubeconfigEntry;
}

export function invalid(
  where: string,
  found: string,
  expected?: string,
  todo?: string,
): CertkeepError {
  return new CertkeepError("kubeconfig_invalid", {
    where,
    found,
    ...(expected === undefined ? {} : { expected }),
    ...(todo === undefined ? {} : { todo }),
  });
}

/** Whoever wrote the kubeconfig could have a file of the reader's sent to a server of his. */
export function namesFile(place: string, key: string): CertkeepError {
  return invalid(
    place,
    `\`${key}\` names a file, and this kubeconfig lies in none`,
    "the text itself, in the kubeconfig",
  );
}

/** Text of `KEY-data` (base64) or of the file that `KEY` names; `null` where neither is there. */
export async function readMaterial(
  entry: KubeconfigEntry,
  key: string,
  place: string,
  allowFiles = true,
): Promise<string | null> {
  const inline = textOf(entry.fields[`${key}-data`]);
  if (inline !== null && inline !== "") return Buffer.from(inline, "base64").toString("latin1");
  const named = textOf(entry.fields[key]);
  if (named === null || named === "") return null;
  if (!allowFiles) throw namesFile(place, key);
  const file = isAbsolute(named) ? named : join(dirname(entry.file), named);
  try {
    return Buffer.from(utf8Of(await readFileAtMost(file, MAX_PEM_BYTES))).toString("latin1");
  } catch (error) {
    throw invalid(
      place,
      `\`${key}\` names ${printable(file, 300)}, which ${whyUnread(error)}`,
      "a PEM file",
    );
  }
}
