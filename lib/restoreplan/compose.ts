/**
 * A decision as an item of the plan: what is there now, which fields would be written, and what a
 * person has to know.
 */
import { formatMsOrNull } from "../certificate/time.ts";
import { accountFieldName, pairFields } from "../secret/allowlist.ts";
import { isForcible, type Note, type Objection, type PlanCode } from "./objection.ts";
import type { Action, Now, PlanItem, Restart, Rule } from "./item.ts";
import { metadataNotes } from "./metadata.ts";
import { NO_RESTART, type Site } from "./shape/site.ts";
import type { JudgedPair, Live, LiveSecret, LiveViews, OpenedCopy, Wanted } from "./view.ts";

/** What of a plan's options an item depends on. */
interface ItemOptions {
  readonly nowMs: number;
  readonly as: PlanItem["to"];
}

export interface Draft {
  readonly rule: Rule;
  readonly objections: readonly Objection[];
  readonly overridden: readonly PlanCode[];
  readonly action: Action;
  /** The Secret is written, and what it holds of the copy's fields stays as it is. */
  readonly asItIs?: boolean;
}

const DAY_MS = 86_400_000;

function nowOf(live: Live, fieldBase: string, field: string | null): Now {
  const now = { reasons: [], notAfter: null };
  if (live.state !== "present") return { ...now, state: live.state };
  if (field !== null) {
    const { accounts } = live.secret;
    const there = Object.hasOwn(accounts, field) && accounts[field] !== null;
    return { ...now, state: there ? "account_key" : "empty" };
  }
  const pair = pairAt(live.secret, fieldBase);
  if (pair === null) return { ...now, state: "empty" };
  return {
    state: pair.verdict.valid ? "valid" : "invalid",
    reasons: pair.verdict.reasons,
    notAfter: formatMsOrNull(pair.notAfterMs),
  };
}

export function pairAt(secret: LiveSecret, fieldBase: string): JudgedPair | null {
  return Object.hasOwn(secret.pairs, fieldBase) ? (secret.pairs[fieldBase] ?? null) : null;
}

/** Names that nobody could name at `--force` are left out. */
function forceNames(draft: Draft): readonly PlanCode[] {
  if (draft.rule !== "refuse" && draft.rule !== "keep") return [];
  const codes = draft.objections.map(({ code }) => code);
  return codes.every(isForcible) ? codes : [];
}

export function newerThan(copy: OpenedCopy, wanted: Wanted): boolean {
  const end = copy.pair?.notAfterMs ?? null;
  return (
    end !== null &&
    wanted.copies.some(
      ({ pair, record }) =>
        record.header.kind === "certificate" && pair?.notAfterMs != null && pair.notAfterMs > end,
    )
  );
}

export function itemOf(
  wanted: Wanted,
  copy: OpenedCopy,
  site: Site,
  draft: Draft,
  options: ItemOptions,
): PlanItem {
  const { header, data } = copy.record;
  const live = site.live.state === "present" ? site.live.secret : null;
  const field = header.kind === "account-key" ? accountFieldName(header.fieldBase) : null;
  const now = nowOf(site.live, header.fieldBase, field);
  const restores = draft.rule === "restore";
  const fields =
    draft.asItIs !== true && (restores || draft.rule === "later")
      ? Object.keys(data).toSorted()
      : [];
  const restart: Restart =
    restores && draft.action !== "none" && fields.length > 0
      ? site.restart(draft.action, now.state !== "valid" && now.state !== "invalid")
      : NO_RESTART;
  return {
    title: wanted.title,
    kind: header.kind,
    shape: copy.shape,
    names: copy.pair?.names ?? header.names,
    from: { namespace: header.namespace, secret: header.secret, fieldBase: header.fieldBase },
    to: site.to,
    now,
    rule: draft.rule,
    why: draft.objections.map(({ code, detail }) => ({ code, detail })),
    overridden: restores ? draft.overridden : [],
    force: forceNames(draft),
    action: draft.action,
    uid: live?.uid ?? null,
    resourceVersion: live?.resourceVersion ?? null,
    createNamespace: restores && site.live.state === "absent" && site.live.namespace === "absent",
    fields,
    version: copy.version,
    ...endOf(copy, options.nowMs),
    restart,
    serial: copy.pair?.serial ?? null,
    saved: restores && fields.length > 0 && header.kind === "certificate" ? 1 : 0,
    revocation: header.kind === "account-key" ? null : copy.revocation,
    notes:
      restores || draft.rule === "later"
        ? [
            ...site.notes,
            ...originNotes(copy, now, live, options),
            ...(restores && site.to !== null
              ? metadataNotes(copy, wanted.unkept, site.to, live)
              : []),
            ...copyNotes(copy, wanted),
          ]
        : [],
  };
}

function endOf(copy: OpenedCopy, nowMs: number): Pick<PlanItem, "notAfter" | "daysLeft"> {
  const end = copy.pair?.notAfterMs ?? null;
  return {
    notAfter: formatMsOrNull(end),
    daysLeft: end === null ? null : Math.floor((end - nowMs) / DAY_MS),
  };
}

/**
 * A certificate of somebody's own CA serves those who trust that: whether it is there on purpose
 * only a person knows.
 */
function originNotes(
  copy: OpenedCopy,
  now: Now,
  live: LiveSecret | null,
  { nowMs }: ItemOptions,
): Note[] {
  const pair =
    live === null || copy.shape !== "tls" ? null : pairAt(live, copy.record.header.fieldBase);
  if (pair === null || now.state !== "invalid" || !pair.keyFits) return [];
  const { notAfterMs, verdict } = pair;
  return notAfterMs !== null &&
    notAfterMs >= nowMs &&
    verdict.reasons.length > 0 &&
    verdict.reasons.every((reason) => reason === "unknown_issuer")
    ? [{ note: "unknown_issuer", untilMs: notAfterMs }]
    : [];
}

function copyNotes(copy: OpenedCopy, wanted: Wanted): Note[] {
  const notes: Note[] = [];
  if (newerThan(copy, wanted)) notes.push({ note: "older_copy" });
  for (const { code, detail, version } of wanted.unusable)
    notes.push({ note: "passed_over", version, code, detail });
  if (copy.record.header.kind !== "account-key" && copy.revocation.state === "unknown")
    notes.push({ note: "revocation_unknown", gap: copy.revocation.gap });
  if (!copy.recorded) notes.push({ note: "unrecorded" });
  return notes;
}

/** Whether the place holds an account key that was last seen there, so that nothing is missing. */
function holdsAccount(live: Live, known: readonly string[]): boolean {
  return (
    live.state === "present" &&
    Object.values(live.secret.accounts).some(
      (thumbprint) => thumbprint !== null && known.includes(thumbprint),
    )
  );
}

export function withoutCopy(
  wanted: Wanted,
  views: LiveViews,
  objections: readonly Objection[],
  options: ItemOptions,
): PlanItem {
  const to = options.as ?? { namespace: wanted.namespace, name: wanted.secret };
  const live = views.at(to.namespace, to.name);
  const account = wanted.kind === "account-key";
  const fields = pairFields("tls", wanted.fieldBase);
  const now = nowOf(live, wanted.fieldBase, account ? accountFieldName(wanted.fieldBase) : null);
  const kept: PlanCode | null = account
    ? holdsAccount(live, wanted.knownAccounts)
      ? "already_there"
      : null
    : now.state === "valid"
      ? "live_valid"
      : null;
  return {
    title: wanted.title,
    kind: wanted.kind,
    shape: fields === null ? "unknown" : "tls",
    names: wanted.lastNames ?? [],
    from: { namespace: wanted.namespace, secret: wanted.secret, fieldBase: wanted.fieldBase },
    to,
    now,
    rule: kept === null ? "refuse" : "keep",
    why: kept === null ? objections : [{ code: kept, detail: null }],
    overridden: [],
    force: [],
    action: "none",
    uid: null,
    resourceVersion: null,
    createNamespace: false,
    fields: [],
    version: wanted.unusable[0]?.version ?? null,
    notAfter: null,
    daysLeft: null,
    restart: NO_RESTART,
    serial: null,
    saved: 0,
    revocation: null,
    notes: [],
  };
}

/** The item with more notes, where it is one that is written. */
export function withNotes(item: PlanItem, notes: readonly Note[]): PlanItem {
  return item.rule === "restore" || item.rule === "later"
    ? { ...item, notes: [...item.notes, ...notes] }
    : item;
}
