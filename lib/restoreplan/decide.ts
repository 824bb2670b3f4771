/**
 * One certificate or account key: the copy to take, the place to put it, and the rule that decides.
 * Pure.
 */
import { accountFieldName } from "../secret/allowlist.ts";
import { decodeBase64 } from "../encoding.ts";
import { LABEL, pairForm, TLS_TYPE } from "../secret/shapes.ts";
import { accountNotes, decideAccount, usesOf, type AccountDecision } from "./account.ts";
import { certificateName } from "./metadata.ts";
import { isForcible, type Objection, objection, type PlanCode } from "./objection.ts";
import { itemOf, newerThan, pairAt, withNotes, withoutCopy, type Draft } from "./compose.ts";
import { copyObjections, isBetter } from "./copyrule.ts";
import type { Action, PlanItem, Rule } from "./item.ts";
import type { Site } from "./shape/site.ts";
import { SITES } from "./shape/sites.ts";
import type { LiveSecret, LiveViews, OpenedCopy, Wanted } from "./view.ts";

export interface PlanOptions {
  readonly nowMs: number;
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

function sameBytes(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const [x, y] = [decodeBase64(a), decodeBase64(b)];
  return x !== null && y !== null && Buffer.compare(x, y) === 0;
}

/** Whether the Secret holds every field of the copy byte for byte. */
export function holdsCopy(
  copy: OpenedCopy,
  live: Pick<LiveSecret, "data" | "backedUpAs">,
): boolean {
  if (live.backedUpAs !== undefined)
    return live.backedUpAs.get(copy.record.header.fieldBase) === copy.version;
  return Object.entries(copy.record.data).every(([field, value]) =>
    sameBytes(value, live.data[field]),
  );
}

interface Chosen {
  readonly copy: OpenedCopy | null;
  /** What rules it out, without what the user overrode by name. */
  readonly objections: readonly Objection[];
  readonly overridden: readonly PlanCode[];
}

interface Looked extends Chosen {
  readonly copy: OpenedCopy;
}

function lookThrough(wanted: Wanted, options: PlanOptions): readonly Looked[] {
  return wanted.copies.map((copy) => {
    const all = copyObjections(copy, wanted, options);
    const left = all.filter(({ code }) => !(options.force.has(code) && isForcible(code)));
    return {
      copy,
      objections: left,
      overridden: all.filter((one) => !left.includes(one)).map(({ code }) => code),
    };
  });
}

function isGood({ objections }: Chosen): boolean {
  return objections.length === 0;
}

function noCopy({ unusable: [unusable] }: Wanted): Chosen {
  const why =
    unusable === undefined ? objection("no_copy") : objection(unusable.code, unusable.detail);
  return { copy: null, objections: [why], overridden: [] };
}

/** The first backup that nothing rules out; else the first one, with what does. */
function chooseCopy(wanted: Wanted, options: PlanOptions): Chosen {
  const looked = lookThrough(wanted, options);
  return looked.find(isGood) ?? looked[0] ?? noCopy(wanted);
}

/** What stands against writing to the place at all, or how it is written. */
function placeObjection(
  site: Site,
  copy: OpenedCopy,
  options: PlanOptions,
): { readonly objection: Objection } | { readonly action: Action } {
  const { live, to } = site;
  const refuse = (code: PlanCode, detail: Objection["detail"] = null) => ({
    objection: objection(code, detail),
  });
  if (live.state === "unknown") return refuse("live_unknown", { kind: "error", found: live.found });
  if (live.state === "absent") {
    if (!site.mayCreate) return refuse("owner_makes_it");
    return live.namespace === "absent" && !options.createNamespace
      ? refuse(
          "namespace_absent",
          to === null ? null : { kind: "namespace", namespace: to.namespace },
        )
      : { action: "create" };
  }
  const { secret } = live;
  if (secret.deleting) return refuse("live_deleting");
  const { type } = copy.record;
  const wrongType =
    pairForm(copy.shape) === "tls" &&
    secret.type !== type &&
    (type === TLS_TYPE || secret.type === TLS_TYPE);
  if (!secret.immutable && !wrongType) return { action: "patch" };
  // A deletion would wait for whoever set them, and nobody could create the Secret meanwhile.
  if (secret.finalizers.length > 0)
    return refuse("replace_would_lose", { kind: "finalizers", finalizers: secret.finalizers });
  if (options.replace) return { action: "replace" };
  return secret.immutable
    ? refuse("secret_immutable")
    : refuse("type_differs", { kind: "types", live: secret.type, copy: type });
}

/**
 * What is there is to stay: but where that is immutable and a controller has to write it,
 * `--replace` recreates it as it is. `null`: it stays untouched.
 */
function recreation(site: Site, copy: OpenedCopy, options: PlanOptions): Draft | null {
  if (site.live.state !== "present" || !site.live.secret.immutable || !options.replace) return null;
  const annotations = { ...copy.record.annotations, ...site.live.secret.annotations };
  if (copy.shape === "tls" && certificateName(annotations) === null) return null;
  const place = placeObjection(site, copy, options);
  const draft = { overridden: [], asItIs: true };
  return "action" in place
    ? { ...draft, ...place, rule: "restore", objections: [objection("secret_recreated")] }
    : { ...draft, rule: "refuse", objections: [place.objection], action: "none" };
}

function certificateDraft(
  site: Site,
  copy: OpenedCopy,
  chosen: Chosen,
  wanted: Wanted,
  options: PlanOptions,
): Draft {
  const live = site.live.state === "present" ? site.live.secret : null;
  const pair = live === null ? null : pairAt(live, copy.record.header.fieldBase);
  const draft = (
    rule: Rule,
    objections: readonly Objection[],
    action: Action = "none",
    more: readonly PlanCode[] = [],
  ): Draft => ({ rule, objections, action, overridden: [...chosen.overridden, ...more] });
  const stays = (why: Objection): Draft => recreation(site, copy, options) ?? draft("keep", [why]);
  if (live !== null && holdsCopy(copy, live)) {
    const isFine = pair === null || pair.verdict.valid;
    return stays(
      objection(
        "already_there",
        isFine ? null : { kind: "refused", reasons: pair.verdict.reasons },
      ),
    );
  }
  // What is valid stays where there is nothing better, whatever is wrong with the copy.
  const worse =
    pair !== null &&
    pair.verdict.valid &&
    (copy.pair === null || copy.record.header.kind === "standby" || !isBetter(copy.pair, pair));
  const forcedOver =
    worse && options.force.has("live_valid") && copy.record.header.kind !== "standby";
  if (worse && !forcedOver && !wanted.versionNamed) return stays(objection("live_valid"));
  if (chosen.objections.length > 0) {
    if (pair !== null && pair.verdict.valid && !wanted.versionNamed)
      return stays(objection("live_valid"));
    return draft("refuse", chosen.objections);
  }
  if (worse && !forcedOver) return draft("refuse", [objection("live_valid")]);
  if (site.verdict !== null) return draft(site.verdict.rule, [site.verdict]);
  if (copy.record.header.kind === "standby" && live?.labels[LABEL.managed] === "true")
    return draft("refuse", [objection("standby_for_tailscale")]);
  const place = placeObjection(site, copy, options);
  if ("objection" in place)
    return draft(place.objection.code === "owner_makes_it" ? "later" : "refuse", [place.objection]);
  const why: Objection =
    live === null
      ? objection("secret_absent")
      : pair === null
        ? objection("fields_absent")
        : !pair.verdict.valid
          ? objection("live_invalid", { kind: "reasons", reasons: pair.verdict.reasons })
          : worse
            ? objection("forced")
            : objection("copy_longer");
  return draft("restore", [why], place.action, forcedOver ? ["live_valid"] : []);
}

function siteOf(
  copy: OpenedCopy,
  wanted: Wanted,
  views: LiveViews,
  { as, nowMs }: PlanOptions,
): Site {
  return SITES[copy.shape](copy, { wanted, views, as, nowMs, newerSeen: newerThan(copy, wanted) });
}

/** A certificate: what goes where, or why nothing does. */
export function decideCertificate(wanted: Wanted, views: LiveViews, options: PlanOptions): Decided {
  const chosen = chooseCopy(wanted, options);
  const { copy } = chosen;
  if (copy === null)
    return { item: withoutCopy(wanted, views, chosen.objections, options), copy: null };
  const site = siteOf(copy, wanted, views, options);
  const draft = certificateDraft(site, copy, chosen, wanted, options);
  const item = itemOf(wanted, copy, site, draft, options);
  return { item: withNotes(item, accountNotes(copy, item, views)), copy };
}

/** An ACME account key, after the certificates of the same plan. */
export function decideAccountKey(
  wanted: Wanted,
  views: LiveViews,
  options: PlanOptions,
  certificates: readonly Decided[],
): Decided {
  const looked = lookThrough(wanted, options);
  const first = looked.find(isGood) ?? looked[0];
  const site = first === undefined ? null : siteOf(first.copy, wanted, views, options);
  const to = site?.to ?? options.as ?? { namespace: wanted.namespace, name: wanted.secret };
  const live = site?.live ?? views.at(to.namespace, to.name);
  const accounts = live.state === "present" ? live.secret.accounts : {};
  const held = looked.filter(isGood).map(({ copy }) => copy.record.header.accountThumbprint);
  const decision = decideAccount(
    usesOf(to, certificates, views),
    accounts[accountFieldName(wanted.fieldBase)] ?? null,
    new Set(held.filter((account) => account !== null)),
    wanted.versionNamed ? (first?.copy.record.header.accountThumbprint ?? null) : null,
  );
  if (first === undefined) {
    const kept = decision.rule === "keep";
    const why = kept ? [decision] : noCopy(wanted).objections;
    const item = withoutCopy(wanted, views, why, options);
    return { item: kept ? { ...item, rule: "keep" } : item, copy: null };
  }
  const chosen =
    looked.find(({ copy }) => copy.record.header.accountThumbprint === decision.account) ?? first;
  const own = siteOf(chosen.copy, wanted, views, options);
  const draft = accountDraft(own, chosen, decision, options);
  return { item: itemOf(wanted, chosen.copy, own, draft, options), copy: chosen.copy };
}

function accountDraft(
  site: Site,
  { copy, objections, overridden }: Looked,
  decision: AccountDecision,
  options: PlanOptions,
): Draft {
  const draft = (rule: Rule, why: readonly Objection[], action: Action = "none"): Draft => ({
    rule,
    objections: why,
    action,
    overridden,
  });
  if (decision.rule === "keep") return recreation(site, copy, options) ?? draft("keep", [decision]);
  const isTheOne = copy.record.header.accountThumbprint === decision.account;
  if (decision.rule === "refuse" && !(isTheOne && objections.length > 0))
    return draft("refuse", [decision]);
  if (objections.length > 0) return draft("refuse", objections);
  if (site.verdict !== null) return draft(site.verdict.rule, [site.verdict]);
  const place = placeObjection(site, copy, options);
  if ("objection" in place)
    return draft(place.objection.code === "owner_makes_it" ? "later" : "refuse", [place.objection]);
  return draft("restore", [decision], place.action);
}
