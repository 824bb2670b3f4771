/**
 * Labels and annotations of a restored Secret: what a write takes from the backup, and what the
 * plan says of the rest.
 *
 * A Secret that is made again gets all that the backup holds. One that exists belongs to whoever
 * made it: it gets what its own controller adopts it by, and no other controller's mark. Neither
 * does a Secret at another place than the backup's, where that controller would delete or overwrite
 * it.
 *
 * Whether cert-manager would keep a restored Secret or reissue, as far as Secret and copy tell:
 * the chain of checks in its internal/controller/certificates/policies/checks.go. The Certificate's
 * spec isn't read, so what depends on it is said to be unknown.
 *
 * A Secret with all that it holds, as the server gave it: what is created again where it can't be
 * changed. It holds values that nothing else may read (a node's state, annotations that repeat the
 * object), so it goes from the server to the server, and between the two into one encrypted note.
 */
import type { V1ObjectMeta, V1Secret } from "@kubernetes/client-node";
import { isControllerAnnotation, isControllerLabel } from "../secret/controllers.ts";
import { TLS_TYPE } from "../secret/shapes.ts";
import type { SecretWrite } from "./item.ts";
import type { Mark, Note } from "./objection.ts";
import type { LiveSecret, OpenedCopy, Wanted } from "./view.ts";

const PREFIX = "cert-manager.io/";
const NAME = `${PREFIX}certificate-name`;

/** The annotation by which a Secret names its `Certificate`. */
export function certificateNamed(name: string): Readonly<Record<string, string>> {
  return { [NAME]: name };
}

/** Name of the `Certificate` that owns the Secret, or `null` where cert-manager doesn't. */
export function certificateName(annotations: Readonly<Record<string, string>>): string | null {
  return Object.hasOwn(annotations, NAME) ? (annotations[NAME] ?? null) : null;
}

/**
 * What cert-manager will do with the copy once it is there; nothing where it isn't cert-manager's.
 */
export function certManagerNotes(
  copy: OpenedCopy,
  annotations: Readonly<Record<string, string>>,
  view: {
    readonly nowMs: number;
    readonly newerSeen: boolean;
    readonly certificate: "present" | "absent" | "unknown";
    readonly secretAbsent: boolean;
    readonly otherPlace: boolean;
  },
): readonly Note[] {
  const name = certificateName(annotations);
  if (name === null) return [];
  const notes: Note[] = [];
  const { pair } = copy;
  if (!Object.hasOwn(annotations, `${PREFIX}issuer-name`))
    notes.push({ note: "certmanager_no_issuer" });
  if (pair !== null && pair.notBeforeMs !== null && pair.notAfterMs !== null) {
    const renewMs = pair.notAfterMs - (pair.notAfterMs - pair.notBeforeMs) / 3;
    if (view.nowMs >= renewMs) notes.push({ note: "certmanager_renews" });
  }
  if (view.newerSeen) notes.push({ note: "certmanager_newer_seen" });
  if (view.otherPlace) notes.push({ note: "certmanager_other_place", name });
  if (view.secretAbsent && view.certificate === "present")
    notes.push({ note: "certmanager_ordered", name });
  if (view.certificate === "unknown") notes.push({ note: "certmanager_not_known" });
  return notes.length === 0 ? [{ note: "certmanager_adopts" }] : notes;
}

type Texts = Readonly<Record<string, string>>;
type Metadata = Pick<SecretWrite, "labels" | "annotations">;
type Place = { readonly namespace: string; readonly name: string };

function without(texts: Texts, excluded: (key: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([key]) => !excluded(key)));
}

function isMoved({ record }: OpenedCopy, to: Place): boolean {
  return to.namespace !== record.header.namespace || to.name !== record.header.secret;
}

/** Metadata of the copy for a Secret at `to`. */
export function metadataFor(copy: OpenedCopy, to: Place): Metadata {
  const { labels, annotations } = copy.record;
  return isMoved(copy, to)
    ? {
        labels: without(labels, isControllerLabel),
        annotations: without(annotations, isControllerAnnotation),
      }
    : { labels, annotations };
}

/**
 * What a patch adds to the metadata of `live`: only what isn't there, and annotations only where
 * cert-manager is to adopt it.
 */
export function metadataToAdd(write: SecretWrite, live: Metadata): Metadata {
  if (write.type !== TLS_TYPE) return { labels: {}, annotations: {} };
  return {
    labels: without(
      write.labels,
      (key) => Object.hasOwn(live.labels, key) || isControllerLabel(key),
    ),
    annotations:
      certificateName(live.annotations) === null
        ? without(
            write.annotations,
            (key) => Object.hasOwn(live.annotations, key) || isControllerAnnotation(key),
          )
        : {},
  };
}

/** Marks of controllers that the copy holds, less those that `there` has. */
function controllerMarks({ record }: OpenedCopy, there: Metadata | null): Mark[] {
  const missing = (texts: Texts, has: Texts, isOne: (key: string) => boolean): string[] =>
    Object.keys(texts).filter((key) => isOne(key) && !Object.hasOwn(has, key));
  return [
    ...missing(record.annotations, there?.annotations ?? {}, isControllerAnnotation).map((key) => ({
      kind: "annotation" as const,
      key,
    })),
    ...missing(record.labels, there?.labels ?? {}, isControllerLabel).map((key) => ({
      kind: "label" as const,
      key,
    })),
  ];
}

/**
 * What of the Secret's metadata the restore doesn't bring back. `live`: the Secret that is patched,
 * `null` where one is made.
 */
export function metadataNotes(
  copy: OpenedCopy,
  unkept: Wanted["unkept"],
  to: Place,
  live: LiveSecret | null,
): Note[] {
  if (live !== null) {
    const marks = copy.shape === "tls" ? controllerMarks(copy, live) : [];
    return marks.length === 0 ? [] : [{ note: "marks_not_added", marks }];
  }
  if (isMoved(copy, to)) {
    const marks = controllerMarks(copy, null);
    return marks.length === 0 ? [] : [{ note: "marks_not_moved", marks }];
  }
  if (unkept === null) return [{ note: "unkept_unknown" }];
  return unkept.length === 0 ? [] : [{ note: "unkept", unkept }];
}

/**
 * The same Secret as one that can be changed, with what `write` brings and `added` to its metadata.
 */
export function recreatedSecret(
  { metadata = {}, type, data }: V1Secret,
  write: Pick<SecretWrite, "type" | "data">,
  added: Pick<SecretWrite, "labels" | "annotations">,
): V1Secret {
  // Of its metadata what belongs to the content: the server sets the rest for the new object.
  const { namespace, name, labels, annotations, ownerReferences } = metadata;
  const kept: V1ObjectMeta = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
    labels: { ...labels, ...added.labels },
    annotations: { ...annotations, ...added.annotations },
  };
  // A type that differs is always the one that certificates have to be of; any other stays.
  const kind = write.type === TLS_TYPE ? TLS_TYPE : type;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: kept,
    ...(kind === undefined ? {} : { type: kind }),
    data: { ...data, ...write.data },
  };
}

/** Whether `value`, from a note, is a Secret of this place and nothing else. */
export function isSecretOf(
  value: unknown,
  place: { readonly namespace: string; readonly name: string },
): value is V1Secret {
  const { apiVersion, kind, metadata } = (value ?? {}) as V1Secret;
  return (
    kind === "Secret" &&
    apiVersion === "v1" &&
    metadata?.namespace === place.namespace &&
    metadata.name === place.name
  );
}
