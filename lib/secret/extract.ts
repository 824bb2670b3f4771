/**
 * What is taken out of a Secret: pairs of certificate and key, ACME account keys, and the metadata
 * that its adoption depends on; by allowlist, nothing else. Total: whatever the Secret holds, the
 * answer is a value. Bytes are those that lie in the Secret, and their base64 text is kept as it
 * was, so that a restored field is the very same. Nothing here is logged or printed.
 */
import { parsePemBlocks } from "../certificate/pem.ts";
import { accountThumbprint } from "./account.ts";
import {
  accountFieldBase,
  keptAnnotations,
  keptLabels,
  pairFields,
  TLS_FIELD_BASE,
} from "./allowlist.ts";
import { decodeBase64 } from "../encoding.ts";
import {
  classify,
  type ClassifyOptions,
  DEFAULT_CLASSIFY_OPTIONS,
  hostOfField,
  OPAQUE_TYPE,
  own,
  pairForm,
  type Shape,
} from "./shapes.ts";
import { type SecretParent, parentOf } from "./parent.ts";
import { type Secret, secretKey } from "./secret.ts";
import { isRecord } from "../untrusted.ts";

export interface ExtractedPair {
  /** Host name of `<host>.crt` and `<host>.key`, or `tls`. */
  readonly fieldBase: string;
  readonly certificateField: string;
  readonly keyField: string;
  /** The name that the owner checks; `null`: names come from the leaf. */
  readonly domain: string | null;
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
  /**
   * By name of field, base64 as it lies in the Secret: certificate, key, and `ca.crt` where it
   * holds certificates.
   */
  readonly data: Readonly<Record<string, string>>;
  /** The part of `data` that is neither certificate nor key. */
  readonly extra: Readonly<Record<string, string>>;
}

export interface ExtractedGap {
  readonly fieldBase: string;
  readonly domain: string | null;
  /** `empty`: neither of both has content; `undecodable`: not base64. */
  readonly state: "empty" | "certificate_missing" | "key_missing" | "undecodable";
}

export interface ExtractedAccountKey {
  readonly field: string;
  /** `acme-account`, or the tailnet of a shared account's field. */
  readonly fieldBase: string;
  readonly pem: Uint8Array;
  /** Base64 as it lies in the Secret. */
  readonly base64: string;
  /** RFC 7638. */
  readonly thumbprint: string;
}

/** What the Secret's owner adopts it by. */
export interface Adoption {
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Extraction {
  /** `null`: nothing for certkeep; all lists are empty. */
  readonly shape: Shape | null;
  /** Whether a person asked for it by name: only then may a CA's key be taken. */
  readonly named: boolean;
  readonly pairs: readonly ExtractedPair[];
  readonly gaps: readonly ExtractedGap[];
  /** Only those that are a private key indeed. */
  readonly accountKeys: readonly ExtractedAccountKey[];
  /** Fields that should hold an account key and don't. */
  readonly unreadableAccountFields: readonly string[];
  readonly adoption: Adoption;
  /**
   * What a backup doesn't hold of its metadata: `annotation KEY`, `label KEY`, `owner KIND NAME`,
   * `finalizer NAME`.
   */
  readonly unkept: readonly string[];
  readonly parent: SecretParent | null;
  readonly immutable: boolean;
}

/** What is taken of a value: its bytes, or why there are none. */
type Value = { readonly bytes: Uint8Array; readonly base64: string } | "absent" | "undecodable";

/** Takes out of `secret` what the allowlist of its shape names. Never throws. */
export function extract(
  secret: Secret,
  options: ClassifyOptions = DEFAULT_CLASSIFY_OPTIONS,
): Extraction {
  const data = isRecord(secret.data) ? secret.data : {};
  const dataKeys = Object.keys(data);
  const meta = metaOf(secret);
  const { shape } = classify({ ...meta, dataKeys }, options);
  const named = options.named.has(secretKey(meta));
  const { labels } = meta;
  const annotations = isRecord(secret.annotations) ? secret.annotations : {};
  const type = typeof secret.type === "string" ? secret.type : "";
  if (shape === null) {
    const adoption: Adoption = { type, labels: {}, annotations: {} };
    return {
      shape,
      named,
      pairs: [],
      gaps: [],
      accountKeys: [],
      unreadableAccountFields: [],
      adoption,
      unkept: [],
      parent: null,
      immutable: secret.immutable === true,
    };
  }

  const read = (field: string): Value => valueOf(data, field);
  const { pairs, gaps } = takePairs(shape, meta.name, dataKeys, read);
  const accountKeys: ExtractedAccountKey[] = [];
  const unreadableAccountFields: string[] = [];
  for (const field of dataKeys.toSorted()) {
    const fieldBase = accountFieldBase(shape, field);
    if (fieldBase === null) continue;
    const value = read(field);
    if (value === "absent") continue;
    const thumbprint = value === "undecodable" ? null : accountThumbprint(value.bytes);
    if (value === "undecodable" || thumbprint === null) unreadableAccountFields.push(field);
    else accountKeys.push({ field, fieldBase, pem: value.bytes, base64: value.base64, thumbprint });
  }
  const adoption: Adoption = {
    type,
    labels: keptLabels(shape, labels),
    annotations: keptAnnotations(shape, annotations),
  };
  return {
    shape,
    named,
    pairs,
    gaps,
    accountKeys,
    unreadableAccountFields,
    adoption,
    unkept: unkeptOf(secret, adoption),
    parent: parentOf(labels),
    immutable: secret.immutable === true,
  };
}

/** Most that is named of a Secret, in a plan and in its record. */
const MAX_UNKEPT = 50;
const UNKEPT = /^[a-z]+ [A-Za-z0-9][A-Za-z0-9 ._/:-]{0,330}$/;

function unkeptOf(secret: Secret, { labels, annotations }: Adoption): readonly string[] {
  const beyond = (all: unknown, kept: Readonly<Record<string, string>>): string[] =>
    Object.keys(isRecord(all) ? all : {}).filter((key) => !Object.hasOwn(kept, key));
  return [
    ...[...secret.unreadAnnotations, ...beyond(secret.annotations, annotations)].map(
      (key) => `annotation ${key}`,
    ),
    ...beyond(secret.labels, labels).map((key) => `label ${key}`),
    ...secret.owners.map(({ kind, name }) => `owner ${kind} ${name}`),
    ...secret.finalizers.map((name) => `finalizer ${name}`),
  ]
    .filter((text) => UNKEPT.test(text))
    .toSorted()
    .slice(0, MAX_UNKEPT);
}

function takePairs(
  shape: Shape,
  name: string,
  dataKeys: readonly string[],
  read: (field: string) => Value,
): { pairs: ExtractedPair[]; gaps: ExtractedGap[] } {
  const pairs: ExtractedPair[] = [];
  const gaps: ExtractedGap[] = [];
  for (const fieldBase of fieldBases(shape, dataKeys)) {
    const fields = pairFields(shape, fieldBase);
    if (fields === null) continue;
    const domain = domainOf(shape, name, fieldBase);
    const certificate = read(fields.certificate);
    const key = read(fields.key);
    if (typeof certificate === "object" && typeof key === "object") {
      const extra = shape === "tls" ? takeAuthority(read("ca.crt")) : {};
      pairs.push({
        fieldBase,
        certificateField: fields.certificate,
        keyField: fields.key,
        domain,
        certificate: certificate.bytes,
        key: key.bytes,
        data: { [fields.certificate]: certificate.base64, [fields.key]: key.base64, ...extra },
        extra,
      });
    } else {
      gaps.push({ fieldBase, domain, state: gapState(certificate, key) });
    }
  }
  return { pairs, gaps };
}

function gapState(certificate: Value, key: Value): ExtractedGap["state"] {
  if (certificate === "undecodable" || key === "undecodable") return "undecodable";
  if (certificate === "absent") return key === "absent" ? "empty" : "certificate_missing";
  return "key_missing";
}

function fieldBases(shape: Shape, dataKeys: readonly string[]): readonly string[] {
  switch (pairForm(shape)) {
    case null:
      return [];
    case "tls":
      return [TLS_FIELD_BASE];
    case "host": {
      const hosts = new Set<string>();
      for (const field of dataKeys) {
        const host = hostOfField(field);
        if (host !== null) hosts.add(host);
      }
      return [...hosts].toSorted();
    }
  }
}

/** C and D: the Secret's name, since the label tailscale.com/domain may be cut. */
function domainOf(shape: Shape, name: string, fieldBase: string): string | null {
  if (shape === "tls") return null;
  return pairForm(shape) === "tls" ? name : fieldBase;
}

/** `ca.crt` only where it is certificates and nothing else. */
function takeAuthority(value: Value): Record<string, string> {
  if (typeof value !== "object") return {};
  const blocks = parsePemBlocks(value.bytes);
  return blocks.length > 0 && blocks.every((block) => block.type === "CERTIFICATE")
    ? { "ca.crt": value.base64 }
    : {};
}

function valueOf(data: Readonly<Record<string, unknown>>, field: string): Value {
  const text = own(data, field);
  if (text === null || text === "") return "absent";
  const bytes = decodeBase64(text);
  if (bytes === null) return "undecodable";
  return bytes.length === 0 ? "absent" : { bytes, base64: text };
}

/** Metadata with every text checked: what comes of a manifest may be anything. */
function metaOf(secret: Secret): {
  namespace: string;
  name: string;
  type: string | null;
  labels: Record<string, string>;
} {
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  return {
    namespace: text(secret.namespace),
    name: text(secret.name),
    type: typeof secret.type === "string" ? secret.type : OPAQUE_TYPE,
    labels: isRecord(secret.labels) ? (secret.labels as Record<string, string>) : {},
  };
}
