/** What to do about what a plan refuses, or puts off. */
import type { PlanCode } from "../../restoreplan/objection.ts";
import type { PlanItem } from "../../restoreplan/item.ts";

/** Options by which a command differs from the one that was given. */
export interface CommandChange {
  readonly apply: boolean;
  readonly createNamespace?: true;
  readonly replace?: true;
  readonly standby?: true;
  readonly unrecorded?: true;
  readonly force?: readonly PlanCode[];
  readonly follow?: string;
}

/** `change`: the command that does it; `null` where no command of certkeep does. */
export interface Remedy {
  readonly todo: string;
  readonly change: CommandChange | null;
}

const byHand = (todo: string): Remedy => ({ todo, change: null });

const NEW_ONE: ReadonlySet<PlanCode> = new Set<PlanCode>([
  "no_copy",
  "copy_damaged",
  "copy_unreadable",
  "copy_forged",
  "copy_swapped",
  "copy_retired",
  "copy_expired",
  "copy_key_mismatch",
  "copy_revoked",
]);

const REMEDIES: Partial<Readonly<Record<PlanCode, Remedy>>> = {
  copy_format_newer: byHand("Update certkeep"),
  copy_sealed_for_others: byHand("Use the other recipient's identity: --identity FILE"),
  copy_of_another: byHand("To restore it here, add --from-cluster NAME"),
  copy_unrecorded: {
    todo: "To see the plan that uses it",
    change: { apply: false, unrecorded: true },
  },
  standby_not_asked: {
    todo: "To see the plan that uses it",
    change: { apply: false, standby: true },
  },
  standby_for_tailscale: byHand(
    "Use another host name, or Let's Encrypt's staging environment for the time being",
  ),
  account_unknown: byHand(
    "If you know that it is the right one, name its backup: --version VERSION (certkeep backups " +
      "lists them)",
  ),
  account_not_backed_up: byHand(
    "Renewal is rejected until the certificate expires; then Tailscale requests a new one",
  ),
  account_of_another: byHand("Leave the account key that is there"),
  account_belongs_to_live: byHand("Leave the account key that is there"),
  live_unknown: byHand("Run this again when the cluster can be read"),
  live_deleting: byHand("Run this again when it is deleted"),
  namespace_absent: { todo: "To create it", change: { apply: true, createNamespace: true } },
  secret_immutable: {
    todo: "To see the plan that recreates it with its whole content",
    change: { apply: false, replace: true },
  },
  type_differs: {
    todo: "To see the plan that recreates it with its whole content",
    change: { apply: false, replace: true },
  },
  replace_would_lose: byHand("Remove its finalizers, then run this again"),
  several_places: byHand("Delete the Secrets that no pod uses, then run this again"),
  owner_makes_it: {
    todo: "To fill it before the pod starts and requests a certificate",
    change: { apply: true, follow: "30m" },
  },
};

/** Without a backup an item's layout isn't known for sure, but Tailscale's names are. */
function requestText({ kind, shape, title }: PlanItem, isOne: boolean): string {
  if (kind === "account-key") return "Tailscale registers a new account with its next request";
  if (shape === "tls" && !title.endsWith(".ts.net"))
    return "Request a new certificate; cert-manager does so by itself";
  return isOne
    ? `Open https://${title} once: Tailscale requests a new certificate (uses 1 issuance)`
    : "Open each once over HTTPS: Tailscale requests a new certificate (uses 1 issuance each)";
}

/** `isOne`: of this item alone. `null` where the reason says it already. */
export function remedyOf(item: PlanItem, isOne = true): Remedy | null {
  const [first] = item.why;
  if (first === undefined) return null;
  if (item.rule === "refuse" && item.force.length > 0)
    return {
      todo: "To see the plan that overrides this",
      change: { apply: false, force: item.force },
    };
  if (NEW_ONE.has(first.code) || first.detail?.kind === "refused")
    return byHand(requestText(item, isOne));
  if (first.code === "place_not_for_shape")
    return byHand(
      first.detail?.kind === "not_state"
        ? "Rename or delete the Secret that is there"
        : "Leave out --as",
    );
  return REMEDIES[first.code] ?? null;
}

/** A sentence; `isOffered`: the command stands in the line that follows. */
export function remedyText({ todo, change }: Remedy, isOffered: boolean): string {
  if (change === null) return `${todo}.`;
  return isOffered ? `${todo}:` : `${todo}, add ${optionOf(change)}.`;
}

function optionOf(change: CommandChange): string {
  const { createNamespace, replace, standby, unrecorded, force, follow } = change;
  if (createNamespace === true) return "--create-namespace";
  if (replace === true) return "--replace";
  if (standby === true) return "--standby";
  if (unrecorded === true) return "--unrecorded";
  return force === undefined ? `--follow ${follow ?? "30m"}` : `--force ${force.join(",")}`;
}
