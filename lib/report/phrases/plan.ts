/**
 * What a restore's plan says: why it decides as it does, what else a person has to know, what comes
 * first.
 */
import type { CopyProblem } from "../../backup/record.ts";
import { formatMs } from "../../certificate/time.ts";
import type { Detail, Objection, PlanCode } from "../../restoreplan/objection.ts";
import type { PlanItem } from "../../restoreplan/item.ts";
import { reasonText } from "./reasons.ts";

export const PLAN_REASONS: Readonly<Record<PlanCode, string>> = {
  secret_absent: "the Secret is missing",
  fields_absent: "its fields are empty or missing",
  live_invalid: "the certificate in the cluster is invalid",
  copy_longer: "the backup is valid for longer than the certificate in the cluster",
  account_absent: "the ACME account key is missing",
  account_with_certificate:
    "the certificate that is restored with it was issued under this account",
  account_of_live:
    "the valid certificate in the cluster was issued under this account, and the account key " +
    "there is another",
  secret_recreated:
    "the Secret is immutable, so its certificate can't be renewed: it is recreated with its " +
    "whole content",
  forced: "you override what prevents it",

  already_there: "up to date",
  live_valid:
    "the certificate in the cluster is valid, and the backup isn't valid for longer or lacks " +
    "one of its names",
  account_in_use:
    "the ACME account key exists, and no certificate is known to belong to another account",

  owner_makes_it: "the Secret doesn't exist yet, and its controller must create it",

  no_copy: "no backup exists",
  copy_damaged: "the backup is damaged",
  copy_unreadable: "the backup can't be read",
  copy_format_newer: "a newer version of certkeep wrote the backup",
  copy_sealed_for_others:
    "the backup is encrypted for other recipients, and this identity can't decrypt it",
  copy_forged: "no audit would have written this backup",
  copy_swapped: "an audit recorded this backup with another digest",
  copy_of_another: "the backup is from another cluster",
  copy_unrecorded: "no audit recorded this backup",
  copy_retired: "the backup was retired",
  copy_expired: "the backup has expired",
  copy_not_yet_valid: "the backup isn't valid yet",
  copy_key_mismatch: "the private key in the backup doesn't match its certificate",
  copy_invalid: "the certificate in the backup is invalid",
  copy_staging: "the backup is a staging certificate, which uses no issuance",
  copy_revoked: "the certificate in the backup is revoked",
  names_differ: "the backup has other names than the certificate last seen here",
  standby_not_asked: "the only backup is a standby certificate from another CA",
  standby_for_tailscale:
    "a standby certificate doesn't help here: Tailscale discards certificates from other CAs " +
    "and requests a new one on each connection",
  account_unknown: "the ACME account key isn't the one last seen here",
  account_not_backed_up: "the ACME account key that the certificate was issued under has no backup",
  account_of_another: "no certificate there was issued under this account",
  account_belongs_to_live: "a valid certificate needs the ACME account key in the cluster",

  live_unknown: "the cluster couldn't be read here",
  live_deleting: "the Secret is being deleted",
  namespace_absent: "the namespace is missing",
  secret_immutable: "the Secret is immutable",
  type_differs: "the Secret has another type, which can't be changed",
  replace_would_lose: "the Secret can't be recreated without losing part of it",
  place_not_for_shape: "this kind of Secret can't be restored to another place",
  device_renamed:
    "the machine has another name in the tailnet, so it wouldn't serve this certificate",
  several_places: "several Secrets match",
};

export function planCodeText(code: PlanCode): string {
  return PLAN_REASONS[code];
}

export function itemTitle({ kind, title }: Pick<PlanItem, "kind" | "title">): string {
  return kind === "account-key" ? "ACME account key" : title;
}

/** A store's error is a sentence; all else is what a document holds. */
export function problemText({ code, place, found, expected }: CopyProblem): string {
  return code === "unreadable" || code === "unreachable"
    ? `${place}: ${found}`
    : `${place}: ${found} instead of ${expected}`;
}

export function whyText(why: readonly Objection[]): string {
  return why.map(objectionText).join("; ");
}

function objectionText({ code, detail }: Objection): string {
  const words = planCodeText(code);
  if (detail === null) return words;
  switch (detail.kind) {
    case "refused":
      return `the cluster holds the same certificate, and it is invalid: ${detailText(detail)}`;
    case "namespace":
      return `namespace ${detail.namespace} is missing`;
    case "expired":
    case "not_before":
    case "revoked":
      return `${words} (${detailText(detail)})`;
    default:
      return `${words}: ${detailText(detail)}`;
  }
}

/** Without what differs from row to row and isn't needed to act. */
export function shortWhyText(why: readonly Objection[]): string {
  return whyText(
    why.map((one) =>
      one.detail?.kind === "expired" ||
      one.detail?.kind === "same_name" ||
      (one.detail?.kind === "parent" && one.detail.there !== "absent")
        ? { ...one, detail: null }
        : one,
    ),
  );
}

const CONTENT: Readonly<Record<(Detail & { kind: "content" })["what"], string>> = {
  no_private_key: "its account key is no private key",
  other_account: "it holds another account's key than its header says",
  half_a_pair: "it holds a certificate without its key, or a key without its certificate",
  no_certificate: "it holds no readable certificate",
  other_certificate: "it holds another certificate than its header says",
  other_names: "it holds a certificate for other names than its header says",
};

function namesText(names: readonly string[]): string {
  return names.join(", ") || "no name";
}

const DETAILS: {
  readonly [K in Detail["kind"]]: (detail: Detail & { readonly kind: K }) => string;
} = {
  retired: ({ reason }) => reason,
  revoked: ({ at }) => `since ${at}`,
  expired: ({ atMs }) => `on ${formatMs(atMs)}`,
  not_before: ({ atMs }) => `before ${formatMs(atMs)}`,
  reasons: ({ reasons }) => reasonText(reasons),
  refused: ({ reasons }) => reasonText(reasons),
  names: ({ copy, lastSeen }) =>
    `it is for ${namesText(copy)}; last seen here: ${namesText(lastSeen)}`,
  not_in_store: ({ url }) => `it isn't in ${url} any more`,
  problems: ({ problems }) => problems.map(problemText).join("; "),
  elsewhere: ({ says: { cluster, namespace, secret } }) =>
    `its header says ${cluster}/${namespace}/${secret}, which isn't where it is stored`,
  digest: ({ found, recorded }) => `${found.slice(0, 12)} instead of ${recorded.slice(0, 12)}`,
  shape: ({ shape }) => `this version doesn't know the kind of Secret ${shape.slice(0, 40)}`,
  content: ({ what }) => CONTENT[what],
  origin: ({ cluster, identity }) => `it came from ${cluster} (${identity})`,
  error: ({ found }) => found,
  account: accountText,
  namespace: ({ namespace }) => namespace,
  finalizers: ({ finalizers }) => `finalizer ${finalizers.join(", ")}`,
  types: ({ live, copy }) => `${live} instead of ${copy}`,
  named: ({ by, name }) =>
    by === "domain"
      ? `the Secret has to have the name of its domain, ${name}`
      : `the operator looks for it under the name ${name}`,
  not_state: ({ type }) => `the Secret there is of type ${type}, not the state of a machine`,
  random_names: () => "the operator gives its proxies' Secrets random names",
  secrets: ({ names }) => names.join(", "),
  device: ({ name, isToCome, domain }) =>
    `it is ${name ?? "unknown"}${isToCome ? " (not started yet)" : ""}, the certificate is for ` +
    `${domain ?? "unknown"}. Remove or rename the old machine in the tailnet, then restart ` +
    "the proxy",
  same_name: () => "its operator creates it under the same name",
  parent: parentText,
};

export function detailText(detail: Detail): string {
  const text = DETAILS[detail.kind] as (of: never) => string;
  return text(detail as never);
}

function accountText({ user, lost }: Detail & { kind: "account" }): string {
  const title = user === null ? null : (user.title ?? "a certificate that couldn't be read");
  return [
    ...(title === null ? [] : [user?.sure === true ? title : `${title}, as far as is known`]),
    ...(lost === null
      ? []
      : [`${lost} belongs to another account, so its renewal is rejected until it expires`]),
  ].join("; ");
}

function parentText({ parent, there, secret }: Detail & { kind: "parent" }): string {
  const name =
    parent === null
      ? "its parent"
      : `Ingress ${parent.namespace === null ? "" : `${parent.namespace}/`}${parent.name}`;
  const state = {
    present: "exists",
    absent: "is missing",
    unknown: "may or may not exist (unknown)",
  }[there];
  return `${name} ${state}; the new Secret will replace ${secret}`;
}

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
