/** Sources without which a cause stays unknown, in words. */
import type { Diagnosis, Missing } from "../../diagnosis/cause.ts";
import { at, own, say, type Text } from "../part.ts";
import { codeText } from "./phrase.ts";

const SOURCES: Readonly<Record<Missing["source"], string>> = {
  logs: "logs",
  events: "Events",
  access: "access reviews",
  renewal_info: "renewal times (ARI)",
  revocation: "revocation lists",
  transparency: "certificate logs (CT)",
};
const STATUSES: ReadonlyMap<string, string> = new Map([
  ["not_enabled", "not enabled"],
  ["not_asked", "not read for its pod"],
  ["not_tailscale", "not read, as no Tailscale pod writes them"],
  ["forbidden", "denied"],
  ["unreachable", "unreachable"],
  ["timeout", "timed out"],
  ["too_much", "cut off, too much to read"],
  ["rate_limited", "rate limited"],
  ["invalid_answer", "unreadable"],
  ["gap", "with a gap"],
  ["no_pod", "not read, as no pod matches"],
  ["sidecar", "not read, as nothing in the Secret names a sidecar's pods"],
  ["debug_off", "without certificate lines, which are logged at debug level only"],
]);
/** Of these it says nothing since when. */
const TIMELESS: ReadonlySet<string> = new Set(["not_enabled", "debug_off"]);

/** `logs denied since …`: one clause. */
export function missingText({ source, code, sinceMs }: Missing): Text {
  const status = STATUSES.get(code);
  const since = sinceMs === null || TIMELESS.has(code) ? [] : say` since ${at(sinceMs)}`;
  const what = status === undefined ? codeText(code) : own(status);
  return say`${own(SOURCES[source])} ${what}${since}`;
}

/** Without these the cause may be unknown; the others only add to it. */
export function isNeeded({ source }: Pick<Missing, "source">): boolean {
  return source === "logs" || source === "access" || source === "events";
}

/** `Cause unknown: logs not enabled`, without a full stop. */
export function unknownText({ missing, causes }: Pick<Diagnosis, "missing" | "causes">): Text {
  const needed = missing.filter(isNeeded);
  if (needed.length === 0 && causes.length > 0) return say`No cause was seen before it`;
  if (needed.length === 0)
    return say`Cause unknown: logs, Events and access reviews were read and name none`;
  return say`Cause unknown: ${needed.flatMap((one, index) => [
    ...own(index === 0 ? "" : ", "),
    ...missingText(one),
  ])}`;
}
