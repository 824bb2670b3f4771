/**
 * Which copies go. Only what an opened and judged copy allows; what isn't known keeps a copy.
 *
 * - The newest two valid copies of each certificate (a name set at a place) for recipients still
 *   configured stay, expired or not: so a clock that is wrong by years can't take the last of them.
 * - A `replaced` copy stays for 30 days, and if it was valid until 30 days after its expiry.
 * - All others go 30 days after expiry. What has no expiry (an account key) stays.
 * - A retired copy counts as none of the newest two.
 *
 * Without an identity nothing can be opened. What audits recorded decides then, and less goes:
 * `planUnopenedRetention`.
 */
import { compareText, type CopyKind } from "./record.ts";

/** The most of a cluster's copies that go in one run without an identity. */
const UNOPENED_SHARE = 0.1;
/** How long a copy outlives its certificate, and a replaced one its replacement. */
export const RETENTION_MS = 30 * 24 * 60 * 60 * 1000;
/** Valid copies of each certificate that stay whatever the time. */
const KEPT_VALID_COPIES = 2;

/** What was learnt of a copy by opening and judging it. */
export interface RetentionCopy {
  /** In the store; unique. */
  readonly key: string;
  readonly kind: CopyKind;
  readonly clusterIdentity: string;
  readonly namespace: string;
  readonly secret: string;
  readonly fieldBase: string;
  readonly names: readonly string[];
  /**
   * Whether it was opened, passed the allowlist, and was judged. The fields below mean nothing
   * otherwise.
   */
  readonly judged: boolean;
  /**
   * Whether the judge finds an instant within its validity at which it holds; expiry alone doesn't
   * make it false.
   */
  readonly valid: boolean;
  /** Milliseconds since 1970, from the leaf itself; `null` where there is none. */
  readonly notBeforeMs: number | null;
  readonly notAfterMs: number | null;
  /** When an audit or a restore recorded it; `null` where none did. */
  readonly recordedAtMs: number | null;
  /** Whether somebody who is configured now can open it. */
  readonly recipientsConfigured: boolean;
  readonly retired: boolean;
}

export type KeepReason =
  /** Not opened or not judged: nothing is known that would allow its removal. */
  | "not_judged"
  | "newest_valid"
  | "not_due"
  | "no_expiry"
  /** A replaced copy of which it isn't known since when it lies there. */
  | "age_unknown";

export type RemoveReason = "expired" | "replaced";

export interface RetentionPlan<Copy extends RetentionCopy = RetentionCopy> {
  /** `untilMs`: when time alone will let it go; `null` where it won't. */
  readonly keep: readonly {
    readonly copy: Copy;
    readonly reason: KeepReason;
    readonly untilMs: number | null;
  }[];
  readonly remove: readonly { readonly copy: Copy; readonly reason: RemoveReason }[];
}

/** One certificate: a name set at a place. Standby copies are of another origin and count apart. */
function certificateKey(copy: RetentionCopy): string {
  return JSON.stringify([
    copy.kind,
    copy.clusterIdentity,
    copy.namespace,
    copy.secret,
    copy.fieldBase,
    [...copy.names].toSorted(compareText),
  ]);
}

/** The newest first: by end of validity, then its start, then when it was recorded. */
function newestFirst(a: RetentionCopy, b: RetentionCopy): number {
  const order = (x: number | null, y: number | null): number =>
    (y ?? -Infinity) - (x ?? -Infinity) || 0;
  return (
    order(a.notAfterMs, b.notAfterMs) ||
    order(a.notBeforeMs, b.notBeforeMs) ||
    order(a.recordedAtMs, b.recordedAtMs) ||
    compareText(a.key, b.key)
  );
}

function protectedKeys(copies: readonly RetentionCopy[]): ReadonlySet<string> {
  const groups = new Map<string, RetentionCopy[]>();
  for (const copy of copies) {
    const counts = copy.judged && copy.valid && copy.recipientsConfigured && !copy.retired;
    if (!counts || (copy.kind !== "certificate" && copy.kind !== "standby")) continue;
    const key = certificateKey(copy);
    groups.set(key, [...(groups.get(key) ?? []), copy]);
  }
  return new Set(
    [...groups.values()].flatMap((group) =>
      group
        .toSorted(newestFirst)
        .slice(0, KEPT_VALID_COPIES)
        .map((copy) => copy.key),
    ),
  );
}

/** When time lets a copy go: milliseconds since 1970, or why it never does. */
function dueAt(copy: RetentionCopy): number | KeepReason {
  const afterExpiry = copy.notAfterMs === null ? null : copy.notAfterMs + RETENTION_MS;
  if (copy.kind !== "replaced") return afterExpiry ?? "no_expiry";
  if (copy.recordedAtMs === null) return "age_unknown";
  const afterReplacement = copy.recordedAtMs + RETENTION_MS;
  if (!copy.valid) return afterReplacement;
  return afterExpiry === null ? "no_expiry" : Math.max(afterReplacement, afterExpiry);
}

/**
 * What stays and what goes at `nowMs` (milliseconds since 1970). A copy goes at its very instant,
 * not before.
 */
export function planRetention<Copy extends RetentionCopy>(
  copies: readonly Copy[],
  nowMs: number,
): RetentionPlan<Copy> {
  const newest = protectedKeys(copies);
  const keep: { copy: Copy; reason: KeepReason; untilMs: number | null }[] = [];
  const remove: { copy: Copy; reason: RemoveReason }[] = [];
  for (const copy of copies) {
    if (!copy.judged) {
      keep.push({ copy, reason: "not_judged", untilMs: null });
      continue;
    }
    if (newest.has(copy.key)) {
      keep.push({ copy, reason: "newest_valid", untilMs: null });
      continue;
    }
    const due = dueAt(copy);
    if (typeof due === "string") keep.push({ copy, reason: due, untilMs: null });
    // Written so that an unusable number (NaN) keeps the copy.
    else if (nowMs >= due)
      remove.push({ copy, reason: copy.kind === "replaced" ? "replaced" : "expired" });
    else keep.push({ copy, reason: "not_due", untilMs: due });
  }
  return { keep, remove };
}

/**
 * What goes at `nowMs` where nothing could be opened: copies of certificates that expired at least
 * 30 days before, and neither are among the newest two that audits recorded as valid nor the last
 * of their certificate. At most a tenth of a cluster's copies go in a run, the longest expired
 * first: a clock that is wrong by years is noticed before much is gone.
 *
 * `judged` here: the state's record and the header agree, and the digest is the recorded one;
 * `valid`: an audit judged it valid; `cluster`: whose tenth it is.
 */
export function planUnopenedRetention<Copy extends RetentionCopy & { readonly cluster: string }>(
  copies: readonly Copy[],
  nowMs: number,
): readonly Copy[] {
  const kept = protectedKeys(copies);
  const judged = copies.filter((copy) => copy.judged);
  const lasts = new Set(
    [...Map.groupBy(judged, certificateKey).values()].map(
      (group) => group.toSorted(newestFirst)[0]?.key,
    ),
  );
  const isDue = (copy: Copy): boolean => {
    const due = dueAt(copy);
    return typeof due === "number" && nowMs >= due;
  };
  return [...Map.groupBy(copies, ({ cluster }) => cluster).values()].flatMap((own) =>
    own
      .filter(
        (copy) =>
          copy.judged &&
          copy.kind === "certificate" &&
          !kept.has(copy.key) &&
          !lasts.has(copy.key) &&
          isDue(copy),
      )
      .toSorted((a, b) => newestFirst(b, a))
      .slice(0, Math.floor(own.length * UNOPENED_SHARE)),
  );
}
