/** What to do about a cause. */
import { calledBy } from "../state/identity.ts";
import { type RestoreAction, restoreAction } from "../finding/action.ts";
import type { CertificateEntry } from "../state/certificates.ts";
import type { Subject } from "./subject.ts";
import type { Measure } from "./cause.ts";

/**
 * The Role that lets a certificate's owner write its Secret, by layout (the operator's own
 * manifests).
 */
function roleOf({ layout, secret }: CertificateEntry): string | null {
  switch (layout) {
    case "operator":
      return "operator";
    case "standalone":
    case "recorder":
      return "proxies";
    // Role and RoleBinding are made for each domain, and called as it.
    case "ha-ingress":
    case "apiserver-proxygroup":
      return secret;
    default:
      return null;
  }
}

const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** `account`: `null` where no access review was made. */
export function accessMeasures(
  entry: CertificateEntry,
  account: string | null,
  verb: string,
): readonly Measure[] {
  const { namespace, secret, layout } = entry;
  return [
    {
      kind: "grant",
      role: roleOf(entry),
      namespace,
      account: ACCOUNT.exec(account ?? "")?.[2] ?? null,
      shared: layout === "ha-ingress" || layout === "apiserver-proxygroup",
    },
    ...(account === null
      ? []
      : [{ kind: "check_grant" as const, verb, namespace, secret, account }]),
  ];
}

export function restoreOf(
  { index, names }: Subject,
  over: Pick<Partial<RestoreAction>, "createNamespace" | "replace" | "standby"> = {},
): RestoreAction {
  return restoreAction(calledBy(index.state), [names[0] ?? ""], over);
}

export function restoreMeasures(of: Subject, entry: CertificateEntry): readonly Measure[] {
  const { backup, createNamespace, replace, standby } = of.index.planner().helpFor(entry);
  return backup === "restorable"
    ? [{ kind: "restore", action: restoreOf(of, { createNamespace, replace, standby }) }]
    : [];
}

/**
 * A key that no backup holds can't be restored, and isn't offered. Where no account is known, the
 * plan decides.
 */
export function keyMeasures(of: Subject): readonly Measure[] {
  const accounts = new Set(
    of.entries.flatMap(({ backups }) =>
      backups.flatMap(({ copy }) =>
        copy.kind === "certificate" && copy.account !== null ? [copy.account] : [],
      ),
    ),
  );
  const isBackedUp = Object.values(of.index.state.copies).some(
    ({ kind, account, retired }) =>
      kind === "account-key" && account !== null && accounts.has(account) && retired === undefined,
  );
  return accounts.size === 0 || isBackedUp
    ? [{ kind: "restore_account_key", action: restoreOf(of) }]
    : [{ kind: "no_account_key" }];
}

export function recreateMeasures(of: Subject, entry: CertificateEntry): readonly Measure[] {
  const { namespace, secret } = entry;
  const { recreates, standby } = of.index.planner().helpFor(entry);
  const action = recreates ? restoreOf(of, { replace: true, standby }) : null;
  return [{ kind: "recreate", action, namespace, secret }];
}

export function otherToolMeasures({ namespace, secret }: CertificateEntry): readonly Measure[] {
  return [{ kind: "find_writer", namespace, secret }];
}

/** Ways to spend fewer certificates, for those that are spent by use. */
export const THRIFT: readonly Measure[] = [
  { kind: "fewer_nodes" },
  { kind: "cache_outside" },
  { kind: "use_staging" },
];
