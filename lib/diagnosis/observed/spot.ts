/** Certificates that a finding about something observed can be about. Pure. */
import { parseMs } from "../../certificate/time.ts";
import { commandLine, literal } from "../../finding/command.ts";
import type { Subject } from "../../finding/finding.ts";
import { certificates, type CertificateEntry, requestedNames } from "../../state/certificates.ts";
import type { StateDocument } from "../../state/document.ts";
import { observationsOf, type Observations } from "../../state/observations.ts";
import { createWriters, type Writers } from "../bearing.ts";

export interface View {
  readonly state: StateDocument;
  readonly observations: Observations;
  readonly atMs: number;
  /** What is there, or what its owner will look for: without what went with what it was made for. */
  readonly entries: readonly CertificateEntry[];
  /** By the names that their owners request, in small letters. */
  readonly byName: ReadonlyMap<string, readonly CertificateEntry[]>;
  /** By `NAMESPACE/SECRET`. */
  readonly byKey: ReadonlyMap<string, readonly CertificateEntry[]>;
  readonly writers: Writers<CertificateEntry>;
}

export function createView(state: StateDocument, atMs: number): View {
  const entries = [...certificates(state, atMs)].filter(
    ({ record, loss }) => record?.staging !== true && loss?.how !== "removed",
  );
  const byName = new Map<string, CertificateEntry[]>();
  for (const entry of entries) {
    for (const name of namesOf(entry)) {
      const of = byName.get(name);
      if (of === undefined) byName.set(name, [entry]);
      else of.push(entry);
    }
  }
  const observations = observationsOf(state);
  return {
    state,
    observations,
    writers: createWriters(entries, observations.access),
    atMs,
    entries,
    byName,
    byKey: Map.groupBy(entries, ({ key }) => key),
  };
}

/** The names that its owner requests, in small letters. */
export function namesOf(entry: CertificateEntry): ReadonlySet<string> {
  return new Set(requestedNames(entry).map((name) => name.toLowerCase()));
}

/** When what is live, with its key, was issued; `null`: nothing is. */
export function storedMsOf({ condition, record }: CertificateEntry): number | null {
  return condition === "live" && record.keyFits ? parseMs(record.issuedAt) : null;
}

export function explain(subject: Subject): string | null {
  const name =
    subject.name ??
    (subject.namespace === null || subject.secret === null
      ? null
      : `${subject.namespace}/${subject.secret}`);
  return name === null ? null : commandLine(literal("certkeep explain"), name);
}

export function label({ name, namespace, secret, cluster }: Subject): string {
  return name ?? (secret === null ? (namespace ?? cluster) : `${namespace}/${secret}`);
}
