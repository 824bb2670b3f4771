/**
 * Whether a restore would help, by what a state recorded: no cluster is asked and no backup opened.
 * The decision is the planner's own (decideCertificate), so that whatever is advised is what
 * `restore` does. What only the cluster knows, such as other fields of a Secret that has to be
 * replaced, is left to the plan itself.
 */
import { type CertificateEntry, verdictAt } from "../state/certificates.ts";
import { recordedHeader } from "../state/backups.ts";
import { parseMs } from "../certificate/time.ts";
import type { BackupStatus } from "../finding/params.ts";
import { serialKey } from "../ratelimit/issuance.ts";
import { LABEL, isShape, type Shape } from "../secret/shapes.ts";
import type {
  CertificateRecord,
  CopyRecord,
  SecretRecord,
  StateDocument,
} from "../state/document.ts";
import { observationsOf } from "../state/observations.ts";
import {
  goneNamespaces,
  heldIn,
  lastRecord,
  secretEntries,
  type SecretEntry,
  standingRecord,
  standingSecrets,
} from "../state/secrets.ts";
import { certificateNamed } from "./metadata.ts";
import { copyObjections } from "./copyrule.ts";
import { decideCertificate, type PlanOptions } from "./decide.ts";
import { codesOf } from "./item.ts";
import { choicesAt, type Choice } from "./select.ts";
import type { JudgedPair, Live, LiveSecret, LiveViews, OpenedCopy, Wanted } from "./view.ts";

/** What a restore of one certificate would need besides its name. */
export interface RestoreHelp {
  readonly backup: BackupStatus;
  readonly createNamespace: boolean;
  readonly replace: boolean;
  readonly standby: boolean;
  /** With `replace` it makes what is there writable, whether or not a backup helps. */
  readonly recreates: boolean;
}

export interface RecordedPlanner {
  helpFor(place: Place): RestoreHelp;
  /** Whether nothing rules out this backup by itself. */
  isUsable(place: Place, version: string): boolean;
  /** Whether the backup of what it holds would restore it if it were lost. */
  wouldRestore(entry: CertificateEntry): boolean;
}

/** A certificate's fields in a Secret, whether or not the state knows the Secret. */
type Place = Pick<CertificateEntry, "namespace" | "secret" | "fieldBase">;

/** Of several certificates: what restores any of them, with all that it needs. */
export function combinedHelp(helps: readonly RestoreHelp[]): RestoreHelp {
  const of = (backup: RestoreHelp["backup"]): RestoreHelp[] =>
    helps.filter((help) => help.backup === backup);
  const [restorable, unknown] = [of("restorable"), of("unknown")];
  return {
    backup: restorable.length > 0 ? "restorable" : unknown.length > 0 ? "unknown" : "none",
    createNamespace: restorable.some(({ createNamespace }) => createNamespace),
    replace: restorable.some(({ replace }) => replace),
    standby: restorable.some(({ standby }) => standby),
    recreates: restorable.some(({ recreates }) => recreates),
  };
}

const NO_HELP: RestoreHelp = {
  backup: "none",
  createNamespace: false,
  replace: false,
  standby: false,
  recreates: false,
};

export function recordedPlanner(state: StateDocument, atMs: number): RecordedPlanner {
  const options: PlanOptions = {
    nowMs: atMs,
    as: null,
    force: new Set(),
    unrecorded: false,
    standby: false,
    replace: true,
    createNamespace: true,
  };
  const unread = state.audit?.unread.some(({ scope }) => scope === "backups") === true;
  const world = new RecordedWorld(state, atMs);
  const known = new Map<string, RestoreHelp>();
  const decide = (entry: Place): RestoreHelp => {
    // What is recorded may be gone from the store, and what isn't recorded may be there.
    if (unread) return { ...NO_HELP, backup: "unknown" };
    for (const standby of [false, true]) {
      const wanted = world.wanted(entry, standby);
      if (wanted === null) continue;
      const { item } = decideCertificate(wanted, world.views(entry), { ...options, standby });
      const replace = item.action === "replace";
      if (codesOf(item).includes("secret_recreated"))
        return { ...NO_HELP, replace, recreates: true };
      if (item.rule === "restore" || item.rule === "later")
        return {
          backup: "restorable",
          createNamespace: item.createNamespace,
          replace,
          standby,
          recreates: replace,
        };
    }
    return NO_HELP;
  };
  const isUsable = (entry: Place, version: string): boolean => {
    const wanted = world.wanted(entry, true);
    const copy = wanted?.copies.find((one) => one.version === version);
    return (
      wanted !== null &&
      copy !== undefined &&
      copyObjections(copy, wanted, { ...options, standby: true }).length === 0
    );
  };
  return {
    helpFor: (entry) => {
      const id = `${entry.namespace}/${entry.secret}\n${entry.fieldBase}`;
      const help = known.get(id) ?? decide(entry);
      known.set(id, help);
      return help;
    },
    isUsable,
    wouldRestore: (entry) => {
      const copy = entry.record?.copy ?? null;
      return !unread && copy !== null && isUsable(entry, copy.version);
    },
  };
}

/** A state as planning looks at a cluster and at opened backups. */
class RecordedWorld {
  readonly #state: StateDocument;
  readonly #atMs: number;
  #choices: ReturnType<typeof choicesAt> | null = null;
  #revoked: ReadonlyMap<string, string> | null = null;
  #managed: ReadonlyMap<string, readonly SecretEntry[]> | null = null;
  #gone: ReadonlySet<string> | null = null;
  #judged: ReadonlyMap<string, CertificateRecord> | null = null;

  constructor(state: StateDocument, atMs: number) {
    this.#state = state;
    this.#atMs = atMs;
  }

  wanted({ namespace, secret, fieldBase }: Place, standby: boolean): Wanted | null {
    this.#choices ??= choicesAt(this.#state);
    const choice = this.#choices({ namespace, secret, fieldBase }, standby);
    return choice === null ? null : { ...choice, copies: this.#copiesOf(choice), unusable: [] };
  }

  #copiesOf({ versions }: Choice): readonly OpenedCopy[] {
    return versions.flatMap((version) => {
      const copy = this.#state.copies[version];
      return copy === undefined || !isShape(copy.shape)
        ? []
        : [this.#copyOf(version, { ...copy, shape: copy.shape })];
    });
  }

  #copyOf(version: string, copy: CopyRecord & { readonly shape: Shape }): OpenedCopy {
    const { namespace, secret } = copy;
    const holder = lastRecord(this.#state, `${namespace}/${secret}`);
    const revokedAt = this.#revokedAt(copy);
    return {
      version,
      record: {
        header: recordedHeader(this.#state, copy),
        type: holder?.type ?? "",
        ...metadataOf(holder),
        data: {},
      },
      shape: copy.shape,
      pair: this.#pairOf(version, copy),
      recorded: true,
      retired: copy.retired?.reason ?? null,
      revocation:
        revokedAt === null
          ? { state: "unknown", gap: { gap: "not_asked" } }
          : { state: "revoked", at: revokedAt },
    };
  }

  /**
   * Of what an audit judged in a Secret every window is known; of earlier content, whether it was
   * ever accepted.
   */
  #pairOf(version: string, copy: CopyRecord): JudgedPair {
    this.#judged ??= new Map(
      [...secretEntries(this.#state)].flatMap(({ record }) =>
        heldIn(record).flatMap(([, one]) => (one.copy === null ? [] : [[one.copy.version, one]])),
      ),
    );
    const record = this.#judged.get(version);
    return record === undefined ? pairOfCopy(copy, this.#atMs) : pairOfRecord(record, this.#atMs);
  }

  #revokedAt({ issuer, serial }: CopyRecord): string | null {
    this.#revoked ??= new Map(
      observationsOf(this.#state).revocations.flatMap((one) =>
        one.revokedMs === null
          ? []
          : [[`${one.issuer} ${serialKey(one.serial)}`, new Date(one.revokedMs).toISOString()]],
      ),
    );
    return serial === null ? null : (this.#revoked.get(`${issuer} ${serialKey(serial)}`) ?? null);
  }

  /**
   * As one certificate's plan sees the cluster: a machine is called as what lies in its Secret is
   * for.
   */
  views({ fieldBase }: Place): LiveViews {
    return {
      at: (namespace, name) => this.#at(namespace, name, fieldBase),
      managed: (namespace) => this.#managedIn(namespace, fieldBase),
      sharing: () => [],
      accountOf: () => null,
      object: () => "unknown",
    };
  }

  #at(namespace: string, name: string, fieldBase: string): Live {
    const record = standingRecord(this.#state, `${namespace}/${name}`);
    if (record !== undefined)
      return { state: "present", secret: this.#secretOf(namespace, name, record, fieldBase) };
    return {
      state: "absent",
      namespace: (this.#gone ??= goneNamespaces(this.#state)).has(namespace) ? "absent" : "unknown",
    };
  }

  #managedIn(namespace: string, fieldBase: string): LiveSecret[] {
    this.#managed ??= Map.groupBy(
      [...standingSecrets(this.#state)].filter(({ record }) => record.shape === "standalone"),
      (entry) => entry.namespace,
    );
    return (this.#managed.get(namespace) ?? []).map(({ secret, record }) =>
      this.#secretOf(namespace, secret, record, fieldBase),
    );
  }

  #secretOf(namespace: string, name: string, record: SecretRecord, fieldBase: string): LiveSecret {
    const holds =
      Object.hasOwn(record.certificates, fieldBase) || Object.hasOwn(record.gaps, fieldBase);
    const certificates = Object.entries(record.certificates);
    return {
      namespace,
      name,
      uid: record.uid,
      resourceVersion: record.resourceVersion,
      type: record.type,
      immutable: record.immutable,
      deleting: false,
      finalizers: [],
      ...metadataOf(record),
      fields: [],
      data: {},
      backedUpAs: new Map(certificates.map(([base, { copy }]) => [base, copy?.version ?? null])),
      pairs: Object.fromEntries(
        certificates.map(([base, one]) => [base, pairOfRecord(one, this.#atMs)]),
      ),
      accounts: {},
      deviceName: holds ? fieldBase : null,
      hostName: null,
    };
  }
}

/** Whom a Secret was made for, in its labels and annotations; of both sides in the same words. */
function metadataOf(record: Pick<SecretRecord, "shape" | "parent"> | undefined): {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
} {
  if (record === undefined || record.parent === null) return { labels: {}, annotations: {} };
  const { kind, namespace, name } = record.parent;
  if (record.shape === "tls")
    return { labels: {}, annotations: kind === "Certificate" ? certificateNamed(name) : {} };
  return {
    labels: {
      [LABEL.managed]: "true",
      [LABEL.parent]: name,
      [LABEL.parentNamespace]: namespace ?? "",
      [LABEL.parentType]: kind,
    },
    annotations: {},
  };
}

function pairOfRecord(record: CertificateRecord, atMs: number): JudgedPair {
  return {
    verdict: verdictAt(record, atMs),
    everHolds: record.windows.length > 0,
    keyFits: record.keyFits,
    names: record.names,
    sha256: record.sha256,
    serial: record.serial,
    notBeforeMs: parseMs(record.notBefore),
    notAfterMs: parseMs(record.notAfter),
    staging: record.staging,
    issuer: record.issuer,
  };
}

/** A backup holds a key that fits; whether its certificate was ever accepted, audits recorded. */
function pairOfCopy(copy: CopyRecord, atMs: number): JudgedPair {
  const notBeforeMs = copy.notBefore === null ? null : parseMs(copy.notBefore);
  const notAfterMs = copy.notAfter === null ? null : parseMs(copy.notAfter);
  const valid =
    copy.seenValid &&
    notBeforeMs !== null &&
    notAfterMs !== null &&
    notBeforeMs <= atMs &&
    atMs <= notAfterMs;
  return {
    verdict: { valid, reasons: [] },
    everHolds: copy.seenValid,
    keyFits: true,
    names: copy.names,
    sha256: copy.sha256,
    serial: copy.serial,
    notBeforeMs,
    notAfterMs,
    staging: false,
    issuer: copy.issuer,
  };
}
