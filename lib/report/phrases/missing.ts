/** Sources without which a cause stays unknown, in words. */
import type { Diagnosis, Missing } from "../../diagnosis/cause.ts";
import type { SourceStatus } from "../../state/signals.ts";
import { at, own, plainText, say, type Text } from "../part.ts";
import { codeText } from "./phrase.ts";

const SOURCES: Readonly<Record<Missing["source"], string>> = {
  logs: "logs",
  events: "Events",
  access: "access reviews",
  renewal_info: "renewal times (ARI)",
  revocation: "revocation lists",
  transparency: "certificate logs (CT)",
};
/** Why a source is incomplete, as `explain` and `audit -v` say it. */
export const SOURCE_STATUSES = {
  not_enabled: "not enabled",
  not_asked: "not read for its pod",
  not_tailscale: "not read, as no Tailscale pod writes them",
  forbidden: "denied",
  unreachable: "unreachable",
  timeout: "timed out",
  too_much: "cut off, too much to read",
  rate_limited: "rate limited",
  invalid_answer: "unreadable",
  gap: "with a gap",
  no_pod: "not read, as no pod matches",
  sidecar: "not read, as nothing in the Secret names a sidecar's pods",
  debug_off: "without certificate lines, which are logged at debug level only",
} as const;
const STATUSES: ReadonlyMap<string, string> = new Map(Object.entries(SOURCE_STATUSES));
/** Of these it says nothing since when. */
const TIMELESS: ReadonlySet<string> = new Set(["not_enabled", "debug_off"]);

/** `logs read`, `Events denied since …`: one clause. */
export function sourceText({
  source,
  code,
  sinceMs,
}: Pick<SourceStatus, "source" | "code" | "sinceMs">): string {
  return code === null
    ? `${SOURCES[source]} read`
    : plainText(missingText({ source, code, sinceMs, measure: null }));
}

export function missingText({ source, code, sinceMs }: Missing): Text {
  const status = STATUSES.get(code);
  const since = sinceMs === null || TIMELESS.has(code) ? [] : say` since ${at(sinceMs)}`;
  const what = status === undefined ? codeText(code) : own(status);
  return say`${own(SOURCES[source])} ${what}${since}`;
}

/** The same as a source and why it wasn't checked, for a list by reasons. */
export function missingParts(
  { source, code, sinceMs }: Missing,
  time: (atMs: number) => string,
): { readonly what: string; readonly why: string } {
  const status = STATUSES.get(code) ?? code.replaceAll("_", " ");
  const since = sinceMs === null || TIMELESS.has(code) ? "" : ` since ${time(sinceMs)}`;
  return { what: SOURCES[source], why: `${status}${since}` };
}

/** Without these the cause may be unknown; the others only add to it. */
export function isNeeded({ source }: Pick<Missing, "source">): boolean {
  return source === "logs" || source === "access" || source === "events";
}

/** `logs not enabled, Events timed out`: why the cause stays unknown, without a full stop. */
export function unknownClause({ missing, causes }: Pick<Diagnosis, "missing" | "causes">): Text {
  const needed = missing.filter(isNeeded);
  if (needed.length === 0)
    return causes.length > 0
      ? say`no cause was seen before it`
      : say`logs, Events and access reviews were read and name none`;
  return needed.flatMap((one, index) => [...own(index === 0 ? "" : ", "), ...missingText(one)]);
}

/** `Cause unknown: logs not enabled`, without a full stop. */
export function unknownText(diagnosis: Pick<Diagnosis, "missing" | "causes">): Text {
  const { missing, causes } = diagnosis;
  if (causes.length > 0 && !missing.some(isNeeded)) return say`No cause was seen before it`;
  return say`Cause unknown: ${unknownClause(diagnosis)}`;
}
