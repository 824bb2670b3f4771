/**
 * What certkeep takes in of a Kubernetes Secret: the metadata that discovery needs, and the values
 * of those that hold a certificate. The adapter drops every annotation but those of
 * `isReadAnnotation` while it parses, because `kubectl.kubernetes.io/last-applied-configuration`
 * holds the private key of whatever was once applied.
 */
import { isControllerAnnotation } from "./controllers.ts";

/** The annotations by which cert-manager adopts a Secret. */
export const CERT_MANAGER_ANNOTATIONS: readonly string[] = [
  "cert-manager.io/certificate-name",
  "cert-manager.io/issuer-name",
  "cert-manager.io/issuer-kind",
  "cert-manager.io/issuer-group",
  "cert-manager.io/common-name",
  "cert-manager.io/alt-names",
  "cert-manager.io/ip-sans",
  "cert-manager.io/uri-sans",
];

const certManagers: ReadonlySet<string> = new Set(CERT_MANAGER_ANNOTATIONS);

export function isCertManagerAnnotation(key: string): boolean {
  return certManagers.has(key);
}

/** Whether the value of an annotation may be read at all. */
export function isReadAnnotation(key: string): boolean {
  return certManagers.has(key) || isControllerAnnotation(key);
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * Metadata of a Secret, as a Table or PartialObjectMetadata listing gives it: no value is in it.
 */
export interface SecretMeta {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** `null` where the representation doesn't tell it. */
  readonly type: string | null;
  /**
   * Names of the data fields by managedFields, sorted; `null` where they are not told: the Secret
   * has to be read.
   */
  readonly dataKeys: readonly string[] | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly owners: readonly OwnerReference[];
  /** RFC 3339, or `null`. */
  readonly createdAt: string | null;
  readonly deletedAt: string | null;
}

/**
 * A Secret with its values, still base64 as the API gives them; a value that isn't a string is left
 * out by the adapter.
 */
export interface Secret extends SecretMeta {
  readonly type: string;
  readonly dataKeys: readonly string[];
  readonly data: Readonly<Record<string, string>>;
  readonly immutable: boolean;
  /** Keys of the annotations whose values the adapter dropped, sorted. */
  readonly unreadAnnotations: readonly string[];
  readonly finalizers: readonly string[];
}

/** `namespace/name`, the key of a Secret within its cluster. */
export function secretKey(secret: { readonly namespace: string; readonly name: string }): string {
  return `${secret.namespace}/${secret.name}`;
}
