/**
 * The project's own error: broken infrastructure or unusable input, told plainly.
 *
 * What is wrong with a certificate is a finding, never an exception. A message names the place,
 * what happened there and what to do. It never carries a foreign error object:
 * those of Kubernetes and AWS hold request bodies and headers, Secrets included.
 */
import { plain } from "./plain.ts";

/**
 * Stable codes; the first group ends a command with 2 (usage or configuration), the second with 3
 * (incomplete).
 */
export const ERROR_CODES = {
  usage: 2,
  config_invalid: 2,
  config_missing: 2,
  config_unapproved: 2,
  kubeconfig_invalid: 2,
  context_unknown: 2,
  identity_invalid: 2,
  cluster_unreachable: 3,
  cluster_tls: 3,
  cluster_timeout: 3,
  cluster_unauthorized: 3,
  cluster_forbidden: 3,
  cluster_not_found: 3,
  cluster_conflict: 3,
  cluster_gone: 3,
  cluster_rejected: 3,
  cluster_answer_invalid: 3,
  store_unavailable: 3,
  store_full: 3,
  store_damaged: 3,
  state_damaged: 3,
  state_format_newer: 3,
  state_conflict: 3,
  lease_held: 3,
  seal_failed: 3,
  open_failed: 3,
  restore_failed: 3,
  sealed_for_others: 3,
  file_unreadable: 3,
  delivery_failed: 3,
  deadline: 3,
  internal: 3,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error says: each part is a plain sentence, without a full stop at its end. */
export interface ErrorParts {
  /**
   * File, cluster or store, and the place in it: `certkeep.yaml:3:5`, `cluster prod, namespace
   * tailscale`.
   */
  readonly where: string;
  /** What happened. */
  readonly found: string;
  /** What the person can do; a command where there is one. */
  readonly todo?: string | undefined;
  /**
   * Lines below, such as a manifest. Only these are told apart: elsewhere a line break is shown, as
   * it is somebody else's.
   */
  readonly lines?: readonly string[] | undefined;
  /** Whether the server that was asked said so, rather than this side of the connection. */
  readonly answered?: boolean | undefined;
}

function plainParts({ where, found, todo, lines, answered }: ErrorParts): ErrorParts {
  return {
    where: plain(where),
    found: plain(found),
    ...(todo === undefined ? {} : { todo: plain(todo) }),
    ...(lines === undefined ? {} : { lines: lines.map(plain) }),
    ...(answered === undefined ? {} : { answered }),
  };
}

export class CertkeepError extends Error {
  override readonly name = "CertkeepError";
  readonly code: ErrorCode;
  readonly parts: ErrorParts;

  constructor(code: ErrorCode, given: ErrorParts) {
    const parts = plainParts(given);
    super(
      [
        `${parts.where}: ${parts.found}`,
        parts.todo === undefined ? "" : `. ${parts.todo}`,
        ...(parts.lines ?? []).map((line) => `\n${line}`),
      ].join(""),
    );
    this.code = code;
    this.parts = parts;
  }

  /** 2 for usage and configuration, 3 for what could not be read or written. */
  get exitCode(): 2 | 3 {
    return ERROR_CODES[this.code];
  }
}

/** What a conflict says that no retry can settle. */
export const CHANGED_MEANWHILE = "another process changed it meanwhile";

/** The last command of a text, and what follows it. */
const LAST_COMMAND = /^.*: (?:certkeep|kubectl|aws|age|openssl|chmod) (.*)$/su;

/** Whether a text ends with a command, for pasting: a full stop would be pasted with it. */
function endsWithCommand(text: string): boolean {
  const rest = LAST_COMMAND.exec(text)?.[1];
  return rest !== undefined && !/\.(?:[. ]|$)/u.test(rest);
}

/** The text as a sentence: with a full stop, unless it ends with a stop or a command. */
export function fullStop(text: string): string {
  return /[.?!:]$/u.test(text) || text === "" || endsWithCommand(text) ? text : `${text}.`;
}

/** Whether `error` is the project's own, of one of `codes` where any are given. */
export function isCertkeepError(error: unknown, ...codes: ErrorCode[]): error is CertkeepError {
  return error instanceof CertkeepError && (codes.length === 0 || codes.includes(error.code));
}

/** The project's own errors as results; whatever else is thrown is a fault of the code. */
export async function orError<T>(work: Promise<T>): Promise<T | CertkeepError> {
  try {
    return await work;
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return error;
  }
}

/**
 * A fault of certkeep's own. What such an error says may hold anything: only its class and its
 * place in the code are shown.
 */
export function internalError(where: string, error: unknown): CertkeepError {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return new CertkeepError("internal", {
    where,
    found: `internal error (${error instanceof Error ? error.name : typeof error})`,
    todo: "Please report it with these lines:",
    lines: stack
      .split("\n")
      .filter((line) => line.trimStart().startsWith("at "))
      .slice(0, 6),
  });
}
