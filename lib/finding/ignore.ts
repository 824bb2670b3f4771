/** `ignore:` entries mute findings; how many is disclosed by every report. */
import type { Finding } from "./finding.ts";
import { matchesPattern } from "./place.ts";

export interface IgnoreEntry {
  readonly cluster?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly code?: string | undefined;
  readonly reason: string;
  /** Milliseconds since 1970: the entry ends then. */
  readonly untilMs?: number | undefined;
}

function fits(entry: IgnoreEntry, finding: Finding, atMs: number): boolean {
  const { subject } = finding;
  if (entry.untilMs !== undefined && atMs >= entry.untilMs) return false;
  if (entry.code !== undefined && entry.code !== finding.code) return false;
  if (entry.cluster !== undefined && !matchesPattern(entry.cluster, subject.cluster)) return false;
  if (
    entry.namespace !== undefined &&
    (subject.namespace === null || !matchesPattern(entry.namespace, subject.namespace))
  )
    return false;
  if (entry.name === undefined) return true;
  return [subject.secret, subject.name].some(
    (name) => name !== null && matchesPattern(entry.name ?? "", name),
  );
}

/** Those that are said, and how many are muted. */
export function applyIgnore(
  findings: readonly Finding[],
  entries: readonly IgnoreEntry[],
  atMs: number,
): { readonly said: Finding[]; readonly ignored: Finding[] } {
  const said: Finding[] = [];
  const ignored: Finding[] = [];
  for (const finding of findings) {
    (entries.some((entry) => fits(entry, finding, atMs)) ? ignored : said).push(finding);
  }
  return { said, ignored };
}
