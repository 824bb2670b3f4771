/**
 * Whether cert-manager would keep a restored Secret or order anew, as far as Secret and copy tell: the chain of
 * checks in its internal/controller/certificates/policies/checks.go. The Certificate's spec isn't read, so what
 * depends on it is said to be unknown.
 */
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

/** What cert-manager will do with the copy once it is there: one line each, empty where it isn't cert-manager's. */
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
): readonly string[] {
  const name = certificateName(annotations);
  if (name === null) return [];
  const notes: string[] = [];
  const { pair } = copy;
  if (!Object.hasOwn(annotations, `${PREFIX}issuer-name`)) {
    notes.push("cert-manager will order anew: the Secret carries no annotation of its issuer");
  }
  if (pair !== null && pair.notBeforeMs !== null && pair.notAfterMs !== null) {
    const renewMs = pair.notAfterMs - (pair.notAfterMs - pair.notBeforeMs) / 3;
    if (view.nowMs >= renewMs)
      notes.push(
        "cert-manager will renew it at once (one order): less than a third of its lifetime is left, unless its spec says another time",
      );
  }
  if (view.newerSeen)
    notes.push(
      "cert-manager may order anew: a newer certificate than this copy was seen, and its CertificateRequest, if it still stands, is for another key",
    );
  if (view.otherPlace)
    notes.push(
      `cert-manager at the new place orders anew unless its Certificate is called ${name}`,
    );
  if (view.secretAbsent && view.certificate === "present") {
    notes.push(
      `its Certificate ${name} stands, so cert-manager has probably ordered already: it does so within seconds of the loss. Scale cert-manager down before a restore of many`,
    );
  }
  if (view.certificate === "unknown")
    notes.push("whether its Certificate still stands is not known");
  if (notes.length === 0)
    notes.push(
      "cert-manager adopts it, if the Certificate's spec still names the same issuer, key algorithm and names",
    );
  return notes;
}
