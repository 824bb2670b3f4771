/** One certificate or account key: the copy to take, the place to put it, and the rule that decides. Pure. */
import { formatInstant } from "../certificate/time.ts";
import { msOf } from "../finding/verdict.ts";
import { reasonText } from "../finding/words.ts";
import { allowedFields, pairFields } from "../secret/allowlist.ts";
import { decodeBase64 } from "../secret/base64.ts";
import { LABEL, pairForm, TLS_TYPE } from "../secret/shapes.ts";
import { codeWords, PLAN_CODES, type PlanCode } from "./code.ts";
import { copyObjections, isBetter, type Objection } from "./copyrule.ts";
import { metadataNotes } from "./metadata.ts";
import type { Action, Now, PlanItem, Restart, Rule } from "./item.ts";
import { decideAccount, type CertificatesWith } from "./shape/accounts.ts";
import { NO_RESTART, type Site, type SiteContext } from "./shape/site.ts";
import { SITES } from "./shape/sites.ts";
import type { JudgedPair, Live, LiveSecret, LiveViews, OpenedCopy, Wanted } from "./view.ts";

export interface PlanOptions {
  readonly nowNs: bigint;
  readonly as: { readonly namespace: string; readonly name: string } | null;
  readonly force: ReadonlySet<PlanCode>;
  readonly unrecorded: boolean;
  readonly standby: boolean;
  readonly replace: boolean;
  readonly createNamespace: boolean;
}

/** An item, with the copy that it takes. */
export interface Decided {
  readonly item: PlanItem;
  readonly copy: OpenedCopy | null;
}

interface Draft {
  readonly rule: Rule;
  readonly objections: readonly Objection[];
  readonly overridden: readonly PlanCode[];
  readonly action: Action;
}

const DAY_MS = 86_400_000;

function isForcible(code: PlanCode): boolean {
  return PLAN_CODES[code].forcible;
}

function sentence({ code, detail }: Objection): string {
  return detail === null ? codeWords(code) : `${codeWords(code)}: ${detail}`;
}

function sameBytes(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const [x, y] = [decodeBase64(a), decodeBase64(b)];
  return x !== null && y !== null && Buffer.compare(x, y) === 0;
}

/** Whether the Secret holds every field of the copy byte for byte. */
export function holdsCopy(copy: OpenedCopy, live: Pick<LiveSecret, "data">): boolean {
  return Object.entries(copy.record.data).every(([field, value]) =>
    sameBytes(value, live.data[field]),
  );
}

function nowOf(live: Live, fieldBase: string, field: string | null): Now {
  if (live.state === "unknown") return { state: "unknown", reasons: [], notAfter: null };
  if (live.state === "absent") return { state: "absent", reasons: [], notAfter: null };
  if (field !== null) {
    const there =
      Object.hasOwn(live.secret.accounts, field) && live.secret.accounts[field] !== null;
    return { state: there ? "account_key" : "empty", reasons: [], notAfter: null };
  }
  const pair = pairAt(live.secret, fieldBase);
  if (pair === null) return { state: "empty", reasons: [], notAfter: null };
  return {
    state: pair.verdict.valid ? "valid" : "invalid",
    reasons: pair.verdict.reasons,
    notAfter: pair.notAfterNs === null ? null : formatInstant(pair.notAfterNs),
  };
}

function pairAt(secret: LiveSecret, fieldBase: string): JudgedPair | null {
  return Object.hasOwn(secret.pairs, fieldBase) ? (secret.pairs[fieldBase] ?? null) : null;
}

/** The first copy that nothing speaks against once what a person named is left out; else the first one, with what does. */
function chooseCopy(
  wanted: Wanted,
  options: PlanOptions,
): {
  readonly copy: OpenedCopy | null;
  readonly objections: readonly Objection[];
  readonly overridden: readonly PlanCode[];
} {
  const looked = wanted.copies.map((copy) => {
    const all = copyObjections(copy, wanted, options);
    const left = all.filter(({ code }) => !(options.force.has(code) && isForcible(code)));
    return {
      copy,
      objections: left,
      overridden: all.filter((one) => !left.includes(one)).map(({ code }) => code),
    };
  });
  const good = looked.find(({ objections }) => objections.length === 0) ?? looked[0];
  if (good !== undefined) return good;
  const [unusable] = wanted.unusable;
  return {
    copy: null,
    objections: [
      unusable === undefined
        ? { code: "no_copy", detail: null }
        : { code: unusable.code, detail: unusable.detail },
    ],
    overridden: [],
  };
}

/** What stands against writing to the place at all. */
function placeObjection(
  site: Site,
  copy: OpenedCopy,
  options: PlanOptions,
): { readonly objection: Objection | null; readonly action: Action } {
  const { live } = site;
  if (live.state === "unknown")
    return { objection: { code: "live_unknown", detail: live.detail }, action: "none" };
  if (live.state === "absent") {
    if (!site.mayCreate)
      return { objection: { code: "owner_makes_it", detail: null }, action: "none" };
    if (live.namespace === "absent" && !options.createNamespace)
      return {
        objection: { code: "namespace_absent", detail: site.to?.namespace ?? null },
        action: "none",
      };
    return { objection: null, action: "create" };
  }
  const { secret } = live;
  if (secret.deleting)
    return { objection: { code: "live_deleting", detail: null }, action: "none" };
  const wrongType =
    pairForm(copy.shape) === "tls" &&
    secret.type !== copy.record.type &&
    (copy.record.type === TLS_TYPE || secret.type === TLS_TYPE);
  if (!secret.immutable && !wrongType) return { objection: null, action: "patch" };
  const allowed = allowedFields(copy.shape, copy.record.fieldBase, "replaced");
  const lost = secret.fields.filter((field) => !allowed.has(field));
  if (lost.length > 0)
    return {
      objection: {
        code: "replace_would_lose",
        detail: `${lost.slice(0, 5).join(", ")}${lost.length > 5 ? ` and ${lost.length - 5} more` : ""}; make it anew yourself`,
      },
      action: "none",
    };
  if (!options.replace)
    return {
      objection: {
        code: secret.immutable ? "secret_immutable" : "type_differs",
        detail: secret.immutable ? null : `${secret.type} in place of ${copy.record.type}`,
      },
      action: "none",
    };
  return { objection: null, action: "replace" };
}

function decideCertificate(
  site: Site,
  copy: OpenedCopy,
  chosen: ReturnType<typeof chooseCopy>,
  wanted: Wanted,
  options: PlanOptions,
): Draft {
  const live = site.live.state === "present" ? site.live.secret : null;
  const pair = live === null ? null : pairAt(live, copy.record.fieldBase);
  const draft = (
    rule: Rule,
    objections: readonly Objection[],
    action: Action = "none",
    more: readonly PlanCode[] = [],
  ): Draft => ({ rule, objections, action, overridden: [...chosen.overridden, ...more] });
  if (live !== null && holdsCopy(copy, live)) {
    const label = {
      code: "already_there" as const,
      detail:
        pair === null || pair.verdict.valid
          ? null
          : `and its owner refuses it: ${reasonText(pair.verdict.reasons)}`,
    };
    return draft("keep", [label]);
  }
  // What is valid stays where there is nothing better, whatever is wrong with the copy.
  const worse =
    pair !== null &&
    pair.verdict.valid &&
    (copy.pair === null || copy.record.kind === "standby" || !isBetter(copy.pair, pair));
  const forcedOver = worse && options.force.has("live_valid") && copy.record.kind !== "standby";
  if (worse && !forcedOver && !wanted.versionNamed)
    return draft("keep", [{ code: "live_valid", detail: null }]);
  if (chosen.objections.length > 0) {
    if (pair !== null && pair.verdict.valid && !wanted.versionNamed)
      return draft("keep", [{ code: "live_valid", detail: null }]);
    return draft("refuse", chosen.objections);
  }
  if (worse && !forcedOver) return draft("refuse", [{ code: "live_valid", detail: null }]);
  if (site.verdict !== null) return draft(site.verdict.rule, [site.verdict]);
  if (copy.record.kind === "standby" && live?.labels[LABEL.managed] === "true")
    return draft("refuse", [{ code: "standby_for_tailscale", detail: null }]);
  const { objection, action } = placeObjection(site, copy, options);
  if (objection !== null)
    return draft(objection.code === "owner_makes_it" ? "later" : "refuse", [objection]);
  const why: Objection =
    live === null
      ? { code: "secret_absent", detail: null }
      : pair === null
        ? { code: "fields_absent", detail: null }
        : !pair.verdict.valid
          ? { code: "live_invalid", detail: reasonText(pair.verdict.reasons) }
          : worse
            ? { code: "forced", detail: null }
            : { code: "copy_longer", detail: null };
  return draft("restore", [why], action, forcedOver ? ["live_valid"] : []);
}

function decideAccountKey(
  site: Site,
  copy: OpenedCopy,
  chosen: ReturnType<typeof chooseCopy>,
  options: PlanOptions,
  beside: CertificatesWith,
): Draft {
  const live = site.live.state === "present" ? site.live.secret : null;
  const draft = (rule: Rule, objections: readonly Objection[], action: Action = "none"): Draft => ({
    rule,
    objections,
    action,
    overridden: chosen.overridden,
  });
  const decision = decideAccount(copy, live, beside);
  if (decision.rule === "keep" && site.live.state === "present") return draft("keep", [decision]);
  if (chosen.objections.length > 0) return draft("refuse", chosen.objections);
  if (site.verdict !== null) return draft(site.verdict.rule, [site.verdict]);
  const { objection, action } = placeObjection(site, copy, options);
  if (objection !== null)
    return draft(objection.code === "owner_makes_it" ? "later" : "refuse", [objection]);
  return draft(decision.rule, [decision], decision.rule === "restore" ? action : "none");
}

/** Names that nobody could name at `--force` are left out. */
function forceNames(draft: Draft): readonly PlanCode[] {
  if (draft.rule !== "refuse" && draft.rule !== "keep") return [];
  const codes = draft.objections.map(({ code }) => code);
  return codes.every(isForcible) ? codes : [];
}

export function decideOne(
  wanted: Wanted,
  views: LiveViews,
  options: PlanOptions,
  beside: CertificatesWith,
): Decided {
  const chosen = chooseCopy(wanted, options);
  const { copy } = chosen;
  if (copy === null)
    return { item: withoutCopy(wanted, views, chosen.objections, options), copy: null };
  const newerSeen = newerThan(copy, wanted);
  const context: SiteContext = { wanted, views, as: options.as, nowNs: options.nowNs, newerSeen };
  const site = SITES[copy.shape](copy, context);
  const draft =
    copy.record.kind === "account-key"
      ? decideAccountKey(site, copy, chosen, options, beside)
      : decideCertificate(site, copy, chosen, wanted, options);
  return { item: itemOf(wanted, copy, site, draft, options), copy };
}

function newerThan(copy: OpenedCopy, wanted: Wanted): boolean {
  const end = copy.pair?.notAfterNs ?? null;
  return (
    end !== null &&
    wanted.copies.some(
      ({ pair, record }) =>
        record.kind === "certificate" && pair?.notAfterNs != null && pair.notAfterNs > end,
    )
  );
}

function itemOf(
  wanted: Wanted,
  copy: OpenedCopy,
  site: Site,
  draft: Draft,
  options: PlanOptions,
): PlanItem {
  const { record } = copy;
  const live = site.live.state === "present" ? site.live.secret : null;
  const field = record.kind === "account-key" ? (Object.keys(record.data)[0] ?? null) : null;
  const now = nowOf(site.live, record.fieldBase, field);
  const fields =
    draft.rule === "restore" || draft.rule === "later" ? Object.keys(record.data).toSorted() : [];
  const restores = draft.rule === "restore";
  const restart: Restart =
    restores && draft.action !== "none"
      ? site.restart(draft.action, now.state !== "valid" && now.state !== "invalid")
      : NO_RESTART;
  const end = copy.pair?.notAfterNs ?? null;
  return {
    title: wanted.title,
    kind: record.kind,
    shape: copy.shape,
    names: copy.pair?.names ?? record.names,
    from: { namespace: record.namespace, secret: record.secret, fieldBase: record.fieldBase },
    to: site.to,
    now,
    rule: draft.rule,
    codes: draft.objections.map(({ code }) => code),
    why: draft.objections.map(sentence).join("; "),
    overridden: restores ? draft.overridden : [],
    force: forceNames(draft),
    action: draft.action,
    uid: live?.uid ?? null,
    resourceVersion: live?.resourceVersion ?? null,
    createNamespace: restores && site.live.state === "absent" && site.live.namespace === "absent",
    fields,
    version: copy.version,
    notAfter: end === null ? null : formatInstant(end),
    daysLeft: end === null ? null : Math.floor(msOf(end - options.nowNs) / DAY_MS),
    restart,
    saved: restores && record.kind === "certificate" ? 1 : 0,
    revocation: record.kind === "account-key" ? null : copy.revocation,
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

/** A certificate of somebody's own CA serves those who trust that: whether it is there on purpose only a person knows. */
function originNotes(
  copy: OpenedCopy,
  now: Now,
  live: LiveSecret | null,
  { nowNs }: PlanOptions,
): string[] {
  const pair = live === null || copy.shape !== "tls" ? null : pairAt(live, copy.record.fieldBase);
  if (
    pair === null ||
    now.state !== "invalid" ||
    !pair.keyFits ||
    pair.notAfterNs === null ||
    pair.notAfterNs < nowNs
  )
    return [];
  if (
    pair.verdict.reasons.length === 0 ||
    pair.verdict.reasons.some((reason) => reason !== "unknown_issuer")
  )
    return [];
  return [
    `what is there leads to no issuer that is known here, and holds until ${formatInstant(pair.notAfterNs).slice(0, 10)}. If it was put there on purpose (a CA of your own), leave this one out, or name the CA under issuers: in certkeep.yaml`,
  ];
}

function copyNotes(copy: OpenedCopy, wanted: Wanted): string[] {
  const notes: string[] = [];
  if (newerThan(copy, wanted))
    notes.push(
      "an older copy is taken: the newer ones can't be used. Its owner's next renewal may be refused, if the newer one replaced it",
    );
  for (const { code, detail, version } of wanted.unusable)
    notes.push(
      `copy ${version.slice(0, 12)} was passed over: ${codeWords(code)}${detail === "" ? "" : ` (${detail})`}`,
    );
  if (copy.record.kind !== "account-key" && copy.revocation.state === "unknown")
    notes.push(`revocation not known: ${copy.revocation.why}`);
  if (!copy.recorded)
    notes.push("no audit recorded this copy: only your own identity vouches for it");
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

function withoutCopy(
  wanted: Wanted,
  views: LiveViews,
  objections: readonly Objection[],
  options: PlanOptions,
): PlanItem {
  const to = options.as ?? { namespace: wanted.namespace, name: wanted.secret };
  const live = views.at(to.namespace, to.name);
  const account = wanted.kind === "account-key";
  const fields = pairFields("tls", wanted.fieldBase);
  const now = nowOf(live, wanted.fieldBase, account ? "" : null);
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
    codes: kept === null ? objections.map(({ code }) => code) : [kept],
    why: kept === null ? objections.map(sentence).join("; ") : codeWords(kept),
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
    saved: 0,
    revocation: null,
    notes: [],
  };
}
