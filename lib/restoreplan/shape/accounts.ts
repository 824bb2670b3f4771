/**
 * ACME account keys: the shared ones (F), and the rule for all of them. A key is restored only where none is, or
 * together with the certificate that it belongs to, in one write; never over one that belongs to a valid certificate
 * that stays.
 */
import { ACCOUNTS_SECRET } from "../../secret/shapes.ts";
import type { PlanCode } from "../code.ts";
import type { LiveSecret, OpenedCopy } from "../view.ts";
import { NO_RESTART, placeOf, refused, type Site, type SiteRule } from "./site.ts";

export const sharedAccountsSite: SiteRule = (copy, context): Site => {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  if (to.name !== ACCOUNTS_SECRET)
    return refused(
      to,
      live,
      "place_not_for_shape",
      `the operator looks for it under the name ${ACCOUNTS_SECRET}`,
    );
  return {
    to,
    live,
    mayCreate: true,
    verdict: null,
    restart: () => ({
      ...NO_RESTART,
      needed: "unknown",
      note: "whether one is needed is not known",
    }),
    notes: [],
  };
};

/** Certificates that the same write puts into the Secret. */
export interface CertificatesWith {
  /** Accounts that they belong to. */
  readonly accounts: readonly (string | null)[];
  /** Their field bases: what is there under them is replaced. */
  readonly bases: ReadonlySet<string>;
}

export interface AccountDecision {
  readonly rule: "restore" | "keep" | "refuse";
  readonly code: PlanCode;
  readonly detail: string | null;
}

/** What becomes of the account key of `copy` where `live` is what stands there now, or `null` for nothing. */
export function decideAccount(
  copy: OpenedCopy,
  live: LiveSecret | null,
  beside: CertificatesWith,
): AccountDecision {
  // An account key's copy holds that one field.
  const field = Object.keys(copy.record.data)[0];
  const there =
    live === null || field === undefined || !Object.hasOwn(live.accounts, field)
      ? null
      : (live.accounts[field] ?? null);
  const ours = copy.record.accountThumbprint;
  if (there === null) return { rule: "restore", code: "account_absent", detail: null };
  if (there === ours) return { rule: "keep", code: "already_there", detail: null };
  if (!beside.accounts.includes(ours))
    return { rule: "keep", code: "account_in_use", detail: null };
  const stays = Object.entries(live?.pairs ?? {}).find(([base, pair]) => {
    if (beside.bases.has(base) || !pair.verdict.valid) return false;
    // Where nobody saw it issued, the key beside it is the one that it belongs to.
    const account = pair.sha256 === null ? null : (live?.accountOfLeaf[pair.sha256] ?? null);
    return account === null || account === there;
  });
  if (stays !== undefined)
    return { rule: "refuse", code: "account_belongs_to_live", detail: stays[0] };
  return { rule: "restore", code: "account_with_certificate", detail: null };
}
