/** Places that a finding about something observed can be about. Pure. */
import type { CertificateRecord, SecretRecord, StateDocument } from "../../state/document.ts";
import { observationsOf, type Observations } from "../../state/observations.ts";
import { createWriters, type Writers } from "../bearing.ts";
import { commandLine, literal } from "../../finding/command.ts";
import type { Subject } from "../../finding/finding.ts";
import { instantNs, msOf, recordVerdict } from "../../finding/verdict.ts";

export interface Spot {
  readonly subject: Subject;
  readonly namespace: string;
  readonly secret: string;
  readonly base: string;
  readonly record: SecretRecord;
  /** What is live, or `null`. */
  readonly live: CertificateRecord | null;
  readonly valid: boolean;
  readonly names: ReadonlySet<string>;
  /** When what is live, with its key, was issued. */
  readonly storedMs: number | null;
}

/** Places where a certificate is, or where its owner will look for one: not those that went with what they were made for. */
function spotsOf(state: StateDocument, atNs: bigint): Spot[] {
  const spots: Spot[] = [];
  const add = (
    key: string,
    record: SecretRecord,
    base: string,
    held: CertificateRecord | null,
    live: boolean,
    domain: string | null,
  ): void => {
    if (held?.staging === true) return;
    const slash = key.indexOf("/");
    const [namespace, secret] = [key.slice(0, slash), key.slice(slash + 1)];
    const name = domain ?? held?.domain ?? held?.names[0] ?? (base === "tls" ? null : base);
    const names =
      held === null || held.domain !== null ? (name === null ? [] : [name]) : held.names;
    spots.push({
      subject: { cluster: state.cluster, namespace, secret, name },
      namespace,
      secret,
      base,
      record,
      live: live ? held : null,
      valid: live && held !== null && recordVerdict(held, atNs).valid,
      names: new Set(names.map((one) => one.toLowerCase())),
      storedMs: live && held !== null && held.keyFits ? msOf(instantNs(held.issuedAt)) : null,
    });
  };
  for (const [key, record] of Object.entries(state.secrets)) {
    if (record.foreign) continue;
    for (const [base, certificate] of Object.entries(record.certificates))
      add(key, record, base, certificate, true, certificate.domain);
    for (const [base, gap] of Object.entries(record.gaps))
      add(key, record, base, gap.held, false, gap.domain);
  }
  for (const [key, { how, record }] of Object.entries(state.lost)) {
    if (how === "removed" || state.secrets[key] !== undefined) continue;
    for (const [base, certificate] of Object.entries(record.certificates))
      add(key, record, base, certificate, false, certificate.domain);
  }
  return spots;
}

export interface View {
  readonly state: StateDocument;
  readonly observations: Observations;
  readonly atMs: number;
  readonly spots: readonly Spot[];
  /** By the names that their owners ask for. */
  readonly byName: ReadonlyMap<string, readonly Spot[]>;
  readonly byNamespace: ReadonlyMap<string, readonly Spot[]>;
  readonly writers: Writers<Spot>;
}

export function createView(state: StateDocument, atNs: bigint): View {
  const spots = spotsOf(state, atNs);
  const byName = new Map<string, Spot[]>();
  for (const spot of spots) {
    for (const name of spot.names) {
      const of = byName.get(name);
      if (of === undefined) byName.set(name, [spot]);
      else of.push(spot);
    }
  }
  const observations = observationsOf(state);
  return {
    state,
    observations,
    writers: createWriters(spots, observations.access),
    atMs: msOf(atNs),
    spots,
    byName,
    byNamespace: Map.groupBy(spots, ({ namespace }) => namespace),
  };
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
