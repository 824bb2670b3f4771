/** What a state records of backups: by place, and as their headers say. Pure. */
import type { CopyFacts } from "../backup/record.ts";
import type { CopyRecord, StateDocument } from "./document.ts";

export interface Backup {
  readonly version: string;
  readonly copy: CopyRecord;
}

export function placeKey(namespace: string, secret: string, fieldBase: string): string {
  return `${namespace}/${secret}\n${fieldBase}`;
}

export function backupsByPlace({ copies }: StateDocument): ReadonlyMap<string, readonly Backup[]> {
  const backups = Object.entries(copies)
    .map(([version, copy]) => ({ version, copy }))
    .filter(({ copy }) => copy.kind !== "account-key");
  return Map.groupBy(backups, ({ copy: { namespace, secret, fieldBase } }) =>
    placeKey(namespace, secret, fieldBase),
  );
}

/** What a state records of a header. */
export function recordedFacts(header: CopyFacts) {
  const { namespace, secret, shape, fieldBase, kind, issuer, serial } = header;
  const { notBefore, notAfter, issuedAt } = header;
  return {
    ...{ namespace, secret, shape, fieldBase, kind, issuer, serial, notBefore, notAfter, issuedAt },
    names: [...header.names],
    sha256: header.leafSha256,
    account: header.accountThumbprint,
  };
}

/** The header of a recorded certificate or standby, but for what a state doesn't record. */
export function recordedHeader(
  { cluster, identity }: Pick<StateDocument, "cluster" | "identity">,
  copy: CopyRecord,
): CopyFacts {
  const { namespace, secret, shape, fieldBase, issuer, serial } = copy;
  const { names, notBefore, notAfter, issuedAt } = copy;
  return {
    ...{ cluster, namespace, secret, shape, fieldBase, names, issuer, serial },
    ...{ notBefore, notAfter, issuedAt },
    kind: copy.kind === "standby" ? "standby" : "certificate",
    clusterIdentity: identity?.key ?? "",
    issuerName: "",
    leafSha256: copy.sha256,
    accountThumbprint: copy.account,
  };
}
