/**
 * Which ACME account key belongs into a Secret: the one that its certificates were issued under.
 * Let's Encrypt refuses to renew a certificate for another account, so a key is never written
 * beside a certificate of another account, nor over one that a valid certificate needs.
 */
import { accountSecrets } from "../secret/account.ts";
import { TLS_FIELD_BASE } from "../secret/allowlist.ts";
import type { Shape } from "../secret/shapes.ts";
import type { Note, Objection, PlanCode } from "./objection.ts";
import type { Decided } from "./decide.ts";
import { codesOf, type PlanItem } from "./item.ts";
import type { LiveSecret, LiveViews, OpenedCopy } from "./view.ts";

interface Place {
  readonly namespace: string;
  readonly name: string;
}

/**
 * A certificate that will be there after the restore, and whose account's key lies in the Secret in
 * question.
 */
interface AccountUse {
  /** `null`: the certificates there could not be looked at. */
  readonly title: string | null;
  /** `null`: not known. */
  readonly account: string | null;
  /** Written by this restore; else it is live and valid, and stays. */
  readonly restored: boolean;
}

/** Account of a copy's certificate: by its header, else as the state knows its leaf. */
function accountOfCopy({ record }: OpenedCopy, views: LiveViews): string | null {
  return (
    record.header.accountThumbprint ??
    (record.header.leafSha256 === null ? null : views.accountOf(record.header.leafSha256))
  );
}

function isServedBy(
  place: Place,
  certificate: Place,
  shape: Shape,
  labels: Readonly<Record<string, string>>,
  views: LiveViews,
): boolean {
  if (certificate.namespace !== place.namespace) return false;
  const [nearest, ...others] = accountSecrets(shape, certificate.name, labels);
  if (nearest === place.name) return true;
  if (nearest === undefined || !others.includes(place.name)) return false;
  const live = views.at(place.namespace, nearest);
  return (
    live.state !== "present" || Object.values(live.secret.accounts).every((one) => one === null)
  );
}

function shapeOfBase(base: string): Shape {
  return base === TLS_FIELD_BASE ? "ha-ingress" : "operator";
}

/**
 * Valid certificates of the cluster that use the key at `place`, less those that `decided` names by
 * Secret and field base.
 */
function staying(place: Place, decided: ReadonlySet<string>, views: LiveViews): AccountUse[] {
  const own = views.at(place.namespace, place.name);
  const sharing = views.sharing(place.namespace);
  if (sharing === null) return [{ title: null, account: null, restored: false }];
  const secrets: readonly LiveSecret[] = [
    ...(own.state === "present" ? [own.secret] : []),
    ...sharing.filter(({ name }) => name !== place.name),
  ];
  return secrets.flatMap((secret) =>
    Object.entries(secret.pairs).flatMap(([base, { verdict, sha256 }]) =>
      verdict.valid &&
      !decided.has(`${secret.name} ${base}`) &&
      isServedBy(place, secret, shapeOfBase(base), secret.labels, views)
        ? [
            {
              title: base === TLS_FIELD_BASE ? secret.name : base,
              account: sha256 === null ? null : views.accountOf(sha256),
              restored: false,
            },
          ]
        : [],
    ),
  );
}

/** `decided`: the certificates of the same plan. */
export function usesOf(
  place: Place,
  decided: readonly Decided[],
  views: LiveViews,
): readonly AccountUse[] {
  const places = new Set<string>();
  const known: (AccountUse & { readonly endsMs: number })[] = [];
  for (const { item, copy } of decided) {
    if (copy === null) continue;
    const { record } = copy;
    const to = item.to ?? { namespace: record.header.namespace, name: record.header.secret };
    const restored = item.rule === "restore" || item.rule === "later";
    const kept = item.now.state === "valid" && codesOf(item).includes("already_there");
    if (!restored && !kept) continue;
    if (to.namespace === place.namespace) places.add(`${to.name} ${record.header.fieldBase}`);
    if (isServedBy(place, to, copy.shape, record.labels, views))
      known.push({
        title: item.title,
        account: accountOfCopy(copy, views),
        restored,
        endsMs: copy.pair?.notAfterMs ?? 0,
      });
  }
  const latestFirst = known.toSorted((a, b) =>
    a.endsMs > b.endsMs ? -1 : a.endsMs < b.endsMs ? 1 : 0,
  );
  return [
    ...latestFirst.filter(({ restored }) => !restored),
    ...staying(place, places, views),
    ...latestFirst.filter(({ restored }) => restored),
  ];
}

export interface AccountDecision {
  readonly rule: "restore" | "keep" | "refuse";
  readonly code: PlanCode;
  readonly detail: Objection["detail"];
  /** The account whose key is restored, or would be; `null`: whichever was seen last. */
  readonly account: string | null;
}

/**
 * What becomes of the key. `there`: the account whose key lies there now; `held`: accounts whose
 * key a backup holds; `chosen`: the account of the one backup that a person named.
 */
export function decideAccount(
  uses: readonly AccountUse[],
  there: string | null,
  held: ReadonlySet<string>,
  chosen: string | null,
): AccountDecision {
  const known = uses.filter(({ account }) => account !== null);
  const user = there === null ? undefined : userOf(uses, there, chosen !== null);
  const account = user === undefined ? (chosen ?? known[0]?.account ?? null) : there;
  const other = account === null ? undefined : known.find((one) => one.account !== account);
  const decide = (
    rule: AccountDecision["rule"],
    code: PlanCode,
    of: AccountUse | null = null,
  ): AccountDecision => ({ rule, code, detail: detailOf(of, other), account });
  if (user !== undefined && (other !== undefined || (chosen !== null && chosen !== there)))
    return decide("refuse", "account_belongs_to_live", user);
  if (there !== null && (account === null || account === there))
    return {
      ...decide("keep", held.has(there) ? "already_there" : "account_in_use"),
      account: there,
    };
  if (account === null) return decide("restore", "account_absent");
  if (chosen !== null && other !== undefined) return decide("refuse", "account_of_another");
  if (!held.has(account)) return decide("refuse", "account_not_backed_up", known[0]);
  if (there === null) return decide("restore", "account_absent");
  return decide(
    "restore",
    known[0]?.restored === false ? "account_of_live" : "account_with_certificate",
  );
}

/**
 * A valid certificate that stays and needs the key that is there. Where nobody saw one issued, it
 * is taken to, unless a person chose.
 */
function userOf(
  uses: readonly AccountUse[],
  there: string,
  personChose: boolean,
): AccountUse | undefined {
  return uses.find(
    ({ restored, account }) => !restored && (personChose ? account : (account ?? there)) === there,
  );
}

function detailOf(of: AccountUse | null, other: AccountUse | undefined): Objection["detail"] {
  if (of === null && other === undefined) return null;
  return {
    kind: "account",
    user: of === null ? null : { title: of.title, sure: of.account !== null },
    lost: other?.title ?? null,
  };
}

/** What isn't known of the account of a certificate that Tailscale issued. */
export function accountNotes(copy: OpenedCopy, item: PlanItem, views: LiveViews): Note[] {
  const { record, shape } = copy;
  const name = item.to?.name ?? record.header.secret;
  if (
    record.header.kind !== "certificate" ||
    accountSecrets(shape, name, record.labels).length === 0
  )
    return [];
  return accountOfCopy(copy, views) === null ? [{ note: "account_unknown" }] : [];
}
