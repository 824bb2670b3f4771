/**
 * Whether cert-manager would keep a restored Secret or reissue, as far as Secret and copy tell:
 * the chain of checks in its internal/controller/certificates/policies/checks.go. The Certificate's
 * spec isn't read, so what depends on it is said to be unknown.
 */
import type { Note } from "./note.ts";
import type { OpenedCopy } from "./view.ts";

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
