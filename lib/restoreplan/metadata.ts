/**
 * Labels and annotations of a restored Secret: what a write takes from the backup, and what the
 * plan says of the rest.
 *
 * A Secret that is made again gets all that the backup holds. One that exists belongs to whoever
 * made it: it gets what its own controller adopts it by, and no other controller's mark. Neither
 * does a Secret at another place than the backup's, where that controller would delete or overwrite
 * it.
 */
import { isControllerAnnotation, isControllerLabel } from "../secret/controllers.ts";
import { TLS_TYPE } from "../secret/shapes.ts";
import { certificateName } from "./certmanager.ts";
import type { SecretWrite } from "./item.ts";
import type { Mark, Note } from "./note.ts";
import type { LiveSecret, OpenedCopy, Wanted } from "./view.ts";

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
