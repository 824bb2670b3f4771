/**
 * What is wrong in a configuration file, as data: where, what, and what to write instead.
 *
 * Invariant: no problem shows the value of a secret. A value is shown only if it is short and looks
 * like a name, a path or a pattern; where a setting refers to a secret, not even then (see
 * `described`).
 */
import { closest, distance } from "fastest-levenshtein";
import { CertkeepError } from "../error.ts";
import { plain } from "../plain.ts";

export interface Problem {
  /** As the file was named by the caller. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number;
  /** `clusters[0].namespaces[1]`; empty for the file as a whole. */
  readonly path: string;
  /** A clause that names the setting: `clusters[0].name is missing`. */
  readonly found: string;
  readonly todo: string;
  /** What was probably meant; `null`: nothing is near. */
  readonly suggestion: string | null;
}

/** `certkeep.yaml:3:5: recipents isn't a setting. …. Did you mean "recipients"?`, one line. */
export function problemLine({ file, line, column, found, todo, suggestion }: Problem): string {
  const hint = suggestion === null ? "" : `. ${suggestion}`;
  return `${file}:${line}:${column}: ${found}. ${todo}${hint}`;
}

/** Problems that one message lists; it says how many more there are. */
const TOLD_PROBLEMS = 40;

/** All the problems of one file as an error. */
export function invalidConfig(where: string, problems: readonly Problem[]): CertkeepError {
  const lines = problems.slice(0, TOLD_PROBLEMS).map((problem) => `  ${problemLine(problem)}`);
  if (problems.length > TOLD_PROBLEMS) lines.push(`  and ${problems.length - TOLD_PROBLEMS} more`);
  return new CertkeepError("config_invalid", {
    where,
    found: `invalid configuration (${problems.length} mistake${problems.length === 1 ? "" : "s"})`,
    lines,
  });
}

const SHOWN_LENGTH = 64;
/** Markers of keys, webhooks and URLs with a password. */
const MARKED = /AGE-SECRET-KEY|PRIVATE KEY|hooks\.slack|:\/\/[^/]*@/i;
const HEXADECIMAL = /[0-9a-f]{32}/i;
const RUN = /[\w+/=-]{20,}/g;

/** A run as tokens are: small and capital letters and digits mixed. */
function hasToken(text: string): boolean {
  return (text.match(RUN) ?? []).some(
    (run) => /[0-9]/.test(run) && /[a-z]/.test(run) && /[A-Z]/.test(run),
  );
}

/**
 * Whether a text that was given as a name is a key, a token or a webhook that got into the wrong
 * place.
 */
export function isSecretive(text: string): boolean {
  return MARKED.test(text) || hasToken(text);
}

function isHidden(text: string): boolean {
  return text.length > SHOWN_LENGTH || HEXADECIMAL.test(text) || isSecretive(text);
}

/** `text` in quotes, or only its length where it is long or may be a secret. */
export function shown(text: string): string {
  if (text === "") return "an empty text";
  if (isHidden(text)) return `a text of ${text.length} characters`;
  return JSON.stringify(plain(text));
}

/**
 * A value in words, to follow "is". `written` is how a number or truth value stands in the file;
 * `secret` hides every text.
 */
export function described(value: unknown, written: string | null, secret: boolean): string {
  if (value === undefined) return "missing";
  if (value === null) return "empty";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  switch (typeof value) {
    case "object":
      return "a group of settings";
    case "string":
      return secret ? "a text that isn't shown here" : shown(value);
    case "number":
      return secret ? "a number" : shown(written ?? String(value)).replaceAll('"', "");
    case "boolean":
      return String(value);
    default:
      return "something else";
  }
}

/**
 * `clusters[0].name` of `["clusters", 0, "name"]`; a key that may be a secret or isn't a word is
 * shown by its length.
 */
export function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else {
      const name = String(part);
      const word = /^[A-Za-z0-9_.-]{1,40}$/.test(name) && !isHidden(name) ? name : shown(name);
      text += text === "" ? word : `.${word}`;
    }
  }
  return text;
}

/** What a sentence about the setting at `path` begins with. */
export function subjectOf(path: string): string {
  return path === "" ? "the file" : path;
}

/** Words that people bring along from elsewhere. */
const SYNONYMS: Readonly<Record<string, string>> = {
  recipient: "recipients",
  namespace: "namespaces",
  cluster: "clusters",
  issuer: "issuers",
  store: "stores",
  ignored: "ignore",
  exclude: "ignore",
  ctx: "context",
  labels: "selector",
  labelselector: "selector",
  roots: "anchors",
  ca: "anchors",
  cabundle: "anchors",
  expires: "until",
  because: "reason",
  comment: "reason",
};

/** The one of `words` that `word` is a slip of, or null. */
export function meant(word: string, words: readonly string[]): string | null {
  if (words.length === 0 || word.length > 64) return null;
  const bare = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const same = words.find((candidate) => bare(candidate) === bare(word));
  if (same !== undefined) return same;
  const synonym = SYNONYMS[bare(word)];
  if (synonym !== undefined && words.includes(synonym)) return synonym;
  const near = closest(word, words);
  return distance(word, near) <= Math.max(1, Math.floor(near.length / 3)) ? near : null;
}
