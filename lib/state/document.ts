/**
 * The state of one cluster: what the last audits saw, as a few numbers a certificate. It holds no
 * key, no certificate and no value of a Secret.
 *
 * Total reading: a text that isn't a state gives a problem that names the place, never an
 * exception. Fields that this version doesn't know survive at every level, and the format's number
 * is never raised by a writer.
 */
import * as z from "zod/mini";
import { readDocument, validatorOf } from "./validate.ts";
import { parseMsOrNull } from "../certificate/time.ts";

/** The format that this version writes into a new document. */
export const STATE_FORMAT = 1;

/** RFC 3339: readers rely on it. */
const isInstant = (text: string): boolean => parseMsOrNull(text) !== null;
const instant = z.string().check(z.refine(isInstant, { error: "no instant" }));
const copyRef = z.looseObject({ version: z.string(), digest: z.string(), recipients: z.string() });
const notKept = z.looseObject({
  /**
   * `no_recipients`, `key_mismatch`, `expired`, `not_yet_valid`, `unknown_issuer`, `ca_key`,
   * `quota`, `unreadable`, `store_failed`.
   */
  reason: z.string(),
  /** RFC 3339: from then on time alone could change it; absent where only something else can. */
  from: z.optional(instant),
});

const hint = z.looseObject({ field: z.string(), kind: z.string(), at: z.nullable(z.number()) });

/** What may be wrong with bytes that Go rejects (lib/certificate/hint.ts); absent: nothing. */
const hints = z.optional(z.array(hint));

const certificateRecord = z.looseObject({
  /** The name that the owner checks, or `null` where names come from the leaf. */
  domain: z.nullable(z.string()),
  names: z.array(z.string()),
  /** Id of a known issuer, or `null`. */
  issuer: z.nullable(z.string()),
  issuerName: z.string(),
  staging: z.boolean(),
  serial: z.string(),
  sha256: z.string(),
  notBefore: instant,
  notAfter: instant,
  issuedAt: instant,
  /** What `issuedAt` rests on: `sct` or `not_before`. */
  issuedBy: z.string(),
  keyFits: z.boolean(),
  /** Both ends inclusive; earlier versions wrote nanoseconds, which are cut off. */
  windows: z.array(z.tuple([instant, instant])),
  reasons: z.array(z.string()),
  hints,
  firstSeenAt: instant,
  copy: z.nullable(copyRef),
  notKept: z.nullable(notKept),
  /**
   * Thumbprint (RFC 7638) of the ACME account key that its issuer's node had when it was first
   * seen, or `null`.
   */
  account: z.nullable(z.string()),
  /**
   * Of its authority key identifier, hex; empty: it has none; absent: not known yet, it wasn't read
   * since this is recorded.
   */
  keyIdentifier: z.optional(z.string()),
  /** Address of its issuer's revocation list, likewise. */
  revocationList: z.optional(z.string()),
});
export type CertificateRecord = z.infer<typeof certificateRecord>;

const gapRecord = z.looseObject({
  domain: z.nullable(z.string()),
  /** `empty`, `certificate_missing`, `key_missing`, `undecodable`, `unreadable`. */
  state: z.string(),
  reasons: z.array(z.string()),
  hints,
  since: instant,
  /** What it held when it was last whole; `null` where it never was. */
  held: z.nullable(certificateRecord),
  /** Names that cert-manager noted on the Secret, as it does only of what it issued. */
  issuedFor: z.optional(z.array(z.string())),
});
export type GapRecord = z.infer<typeof gapRecord>;

const accountRecord = z.looseObject({
  thumbprint: z.nullable(z.string()),
  copy: z.nullable(copyRef),
  notKept: z.nullable(notKept),
});

const parentRef = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  namespace: z.nullable(z.string()),
  name: z.string(),
});
export type ParentRef = z.infer<typeof parentRef>;

const earlierContent = z.looseObject({
  /** When an audit found something else in its place. */
  at: instant,
  /** Of the Secret that held it; it may have been recreated since. */
  uid: z.string(),
  base: z.string(),
  /** `live`; a gap's state (`empty`, `unreadable`, …); `gone`: the whole Secret was not there. */
  state: z.string(),
  serial: z.nullable(z.string()),
  /** Why its controller's check refused it then; empty: it was good. */
  reasons: z.array(z.string()),
});
export type EarlierContent = z.infer<typeof earlierContent>;

const secretRecord = z.looseObject({
  uid: z.string(),
  resourceVersion: z.string(),
  /** Version of judge, anchors and settings that this record rests on. */
  judgedWith: z.string(),
  /** When this record was made: the later of two wins in a merge. */
  recordedAt: instant,
  /** Name of the shape; `null`: read and found to be nothing for certkeep. */
  shape: z.nullable(z.string()),
  type: z.string(),
  /** Generic TLS that leads to no known issuer: counted, neither judged nor kept. */
  foreign: z.boolean(),
  immutable: z.boolean(),
  parent: z.nullable(parentRef),
  certificates: z.record(z.string(), certificateRecord),
  gaps: z.record(z.string(), gapRecord),
  accounts: z.record(z.string(), accountRecord),
  /** What was here before, the newest first: why it was reissued. Absent: nothing changed yet. */
  earlier: z.optional(z.array(earlierContent)),
  /**
   * What a backup doesn't hold of its metadata (lib/secret/extract.ts); absent: recorded by an
   * earlier version, which didn't note it.
   */
  unkept: z.optional(z.array(z.string())),
});
export type SecretRecord = z.infer<typeof secretRecord>;

const lostRecord = z.looseObject({
  /** As `how` of a Loss; lib/state/secrets.ts has their meanings. */
  how: z.string(),
  /** What took several at once, in words; they are reported as one. `null` for a single loss. */
  incident: z.nullable(z.string()),
  lostAt: instant,
  lastSeenAt: instant,
  /** Its namespace was not there either; absent: it was, or an earlier version recorded it. */
  namespaceGone: z.optional(z.boolean()),
  /** `incident` is that many were lost within one hour; absent: it isn't, or not known. */
  massLoss: z.optional(z.boolean()),
  record: secretRecord,
});
export type LostRecord = z.infer<typeof lostRecord>;

const copyRecord = z.looseObject({
  namespace: z.string(),
  secret: z.string(),
  shape: z.string(),
  fieldBase: z.string(),
  kind: z.string(),
  names: z.array(z.string()),
  issuer: z.nullable(z.string()),
  serial: z.nullable(z.string()),
  sha256: z.nullable(z.string()),
  notBefore: z.nullable(instant),
  notAfter: z.nullable(instant),
  issuedAt: z.nullable(instant),
  account: z.nullable(z.string()),
  /** SHA-256 of the sealed text, as an audit read it back. */
  digest: z.string(),
  key: z.string(),
  recordedAt: instant,
  /** Whether its content was judged valid at some audit. */
  seenValid: z.boolean(),
  /** Span in which audits saw this content live. */
  liveFrom: instant,
  liveUntil: instant,
  retired: z.optional(z.looseObject({ at: instant, reason: z.string() })),
  /** When a restore last wrote it to the cluster. */
  restoredAt: z.optional(instant),
});
export type CopyRecord = z.infer<typeof copyRecord>;

const drilledCopy = z.looseObject({
  version: z.string(),
  namespace: z.nullable(z.string()),
  secret: z.nullable(z.string()),
  code: z.nullable(z.string()),
  detail: z.string(),
});

const findingRecord = z.looseObject({ code: z.string(), since: instant, lastAt: instant });

const unread = z.looseObject({
  scope: z.string(),
  code: z.string(),
  message: z.string(),
  since: instant,
  /** Of a namespace without permission to list its Secrets: that it exists all the same. */
  namespaceExists: z.optional(z.boolean()),
});
export type Unread = z.infer<typeof unread>;

/** Of a registration. */
const credential = z.looseObject({
  kind: z.string(),
  endsAt: z.nullable(instant),
  madeAt: z.nullable(instant),
  /** What was registered; absent: not known. `namespaces: null`: all of them. */
  parts: z.optional(z.array(z.string())),
  namespaces: z.optional(z.nullable(z.array(z.string()))),
});

const stateDocument = z.looseObject({
  format: z.number(),
  /** The lowest format whose readers understand this document; a newer writer may keep it low. */
  readableFrom: z.number(),
  cluster: z.string(),
  title: z.string(),
  server: z.string(),
  identity: z.nullable(
    z.looseObject({
      uid: z.nullable(z.string()),
      caSha256: z.nullable(z.string()),
      key: z.string(),
      /** Name that its server's certificate was checked for; earlier versions stored none. */
      host: z.optional(z.nullable(z.string())),
      pin: z.optional(
        z.looseObject({ caSha256: z.nullable(z.string()), by: z.string(), at: instant }),
      ),
    }),
  ),
  /** When a person removed the cluster: reports leave it out until it is audited again. */
  removedAt: z.optional(instant),
  /** Another identity under this name, if the last look met one. */
  replacedBy: z.nullable(
    z.looseObject({
      uid: z.nullable(z.string()),
      caSha256: z.nullable(z.string()),
      host: z.optional(z.nullable(z.string())),
      since: instant,
    }),
  ),
  audit: z.nullable(
    z.looseObject({
      startedAt: instant,
      finishedAt: instant,
      complete: z.boolean(),
      /** End of the last audit that saw everything in its scope. */
      lastCompleteAt: z.nullable(instant),
      /** Last time that the cluster answered at all. */
      lastReachedAt: z.nullable(instant),
      unread: z.array(unread),
      secrets: z.number(),
      foreign: z.number(),
      /** Whom backups were encrypted for; absent: an earlier version audited. */
      recipients: z.optional(z.array(z.string())),
    }),
  ),
  /** The registered reading credential, as the last audit used it. */
  credential: z.optional(z.nullable(credential)),
  /** What registering found: only an administrator's credential sees it. */
  registered: z.optional(
    z.looseObject({
      /** What anyone in the cluster may do, by namespace: it is nobody's excess. */
      everybody: z.array(z.looseObject({ namespace: z.string(), rules: z.array(z.unknown()) })),
      /** The restoring credential; `null`: there is none. */
      restore: z.nullable(credential),
    }),
  ),
  /** uid by namespace, for those that hold what is recorded. */
  namespaces: z.record(z.string(), z.string()),
  secrets: z.record(z.string(), secretRecord),
  lost: z.record(z.string(), lostRecord),
  copies: z.record(z.string(), copyRecord),
  findings: z.record(z.string(), findingRecord),
  /** Copies that the last drill could not use; absent where every drill so far could use all. */
  drill: z.optional(
    z.looseObject({ at: instant, unreadable: z.array(drilledCopy), more: z.number() }),
  ),
  /**
   * Issuances that the records no longer show, and what other sources reported;
   * lib/state/evidence.ts reads any value.
   */
  evidence: z.optional(z.unknown()),
  /**
   * What logs, Events, access reviews and the issuer's services reported;
   * lib/state/observations.ts reads any value.
   */
  observations: z.optional(z.unknown()),
  quota: z.looseObject({ day: z.string(), made: z.number() }),
});
export type StateDocument = z.infer<typeof stateDocument>;

const isValid = validatorOf(
  stateDocument,
  new Map([[instant, (value: unknown) => typeof value === "string" && isInstant(value)]]),
);

export function emptyState(cluster: string, title: string, server: string): StateDocument {
  return {
    format: STATE_FORMAT,
    readableFrom: STATE_FORMAT,
    cluster,
    title,
    server,
    identity: null,
    replacedBy: null,
    audit: null,
    namespaces: {},
    secrets: {},
    lost: {},
    copies: {},
    findings: {},
    quota: { day: "", made: 0 },
  };
}

export type ParsedState =
  | { readonly ok: true; readonly state: StateDocument }
  | {
      readonly ok: false;
      readonly newer: boolean;
      readonly place: string;
      readonly found: string;
      readonly expected: string;
    };

/** Earlier versions stored a kubeconfig's `server` with its `?token=`. */
function withPlainServer(state: StateDocument): StateDocument {
  const [address = ""] = state.server.split(/[?#]/, 1);
  return address === state.server ? state : { ...state, server: address.replace(/\/$/, "") };
}

/** `newer` in a problem: whole, but of a format that only a newer certkeep reads. */
export function parseState(text: string): ParsedState {
  const read = readDocument(text, STATE_FORMAT, stateDocument, isValid);
  if (read.ok) return { ok: true, state: withPlainServer(read.value) };
  return { ...read, expected: read.newer ? `format ${STATE_FORMAT} or lower` : "a state document" };
}

export function formatState(state: StateDocument): string {
  return JSON.stringify(state);
}
