/** Registrations in words for a terminal: the list, and what registering found. Pure. */
import { parseMs } from "../certificate/time.ts";
import type { Excess } from "../rbac/excess.ts";
import type { Question } from "../rbac/rules.ts";
import type { AccessKind, Bearer, Part } from "../rbac/table.ts";
import { excessText, PART_TITLES, questionText, withoutText } from "./phrases/permissions.ts";
import { count, span, tableLines } from "./text.ts";
import { plain } from "../plain.ts";

export interface ClusterRow {
  readonly name: string;
  /** Whether a registration brought it, or certkeep.yaml. */
  readonly registered: boolean;
  readonly server: string | null;
  /** Key of the recorded identity. */
  readonly identity: string | null;
  /** `token`, `eks`, …; `null` where certkeep didn't register it. */
  readonly kind: string | null;
  readonly parts: readonly string[];
  readonly namespaces: readonly string[] | null;
  /** Whether a restoring credential is kept apart. */
  readonly restores: boolean;
  readonly lastAudit: { readonly at: string; readonly complete: boolean } | null;
  readonly credentialEndsAt: string | null;
  readonly problems: readonly string[];
}

export interface ClustersPage {
  readonly nowMs: number;
  readonly room: number;
  readonly verbose: boolean;
}

/** Columns from which on servers are shown. */
const WIDE = 100;

export function clustersText(rows: readonly ClusterRow[], page: ClustersPage): string {
  const { nowMs, room, verbose } = page;
  if (rows.length === 0)
    return (
      "No clusters registered: audits use your kubeconfig's current context. To register one:\n" +
      "  certkeep clusters add NAME --context CONTEXT"
    );
  const extra = (cells: readonly string[]): readonly string[] => (verbose ? cells : []);
  // On a narrow terminal it would take the room of what is asked for more often.
  const server = (cell: string): readonly string[] => (verbose || room >= WIDE ? [cell] : []);
  const table = tableLines(
    [
      "NAME",
      ...server("SERVER"),
      ...["READS", "LAST AUDIT", "CREDENTIAL"],
      ...extra(["KIND", "IDENTITY"]),
    ],
    rows.map((row) => [
      row.name,
      ...server(row.server ?? "unknown"),
      readsText(row),
      auditText(row, nowMs),
      endText(row, nowMs),
      ...extra([
        row.kind ?? (row.registered ? "registered" : "certkeep.yaml"),
        row.identity ?? "not pinned yet",
      ]),
    ]),
    room,
  );
  return [
    ...table,
    ...rows.flatMap(({ name, problems }) =>
      problems.map((problem) => `${plain(name)}: ${plain(problem)}`),
    ),
  ].join("\n");
}

function readsText({ namespaces, restores }: ClusterRow): string {
  const where =
    namespaces === null
      ? "all namespaces"
      : namespaces.length === 0
        ? "named Secrets"
        : namespaces.join(", ");
  return `${where}${restores ? "; can restore" : ""}`;
}

function auditText({ lastAudit }: ClusterRow, nowMs: number): string {
  if (lastAudit === null) return "never";
  const ago = `${span(nowMs - parseMs(lastAudit.at))} ago`;
  return lastAudit.complete ? ago : `${ago}, incomplete`;
}

function endText({ credentialEndsAt, kind }: ClusterRow, nowMs: number): string {
  if (credentialEndsAt === null)
    return kind === "eks"
      ? "renews itself"
      : kind === "token-secret"
        ? "never expires"
        : "unknown expiry";
  const left = parseMs(credentialEndsAt) - nowMs;
  return left < 0 ? `expired ${span(left)} ago` : `${span(left)} left`;
}

export interface CheckedCredential {
  readonly bearer: Bearer;
  readonly user: string | null;
  readonly expiresAtMs: number | null;
  /** What was asked for and isn't granted; the registration works without it, and knows less. */
  readonly missing: readonly Question[];
  readonly excess: readonly Excess[];
}

/** What a credential that may list Secrets sees besides certificates. */
export interface Exposure {
  readonly namespace: string;
  /** Secrets that hold no certificate. */
  readonly others: number;
  /** Some of their names, the telling ones first. */
  readonly names: readonly string[];
}

export interface RegisterResult {
  readonly name: string;
  readonly server: string;
  readonly version: string | null;
  readonly identity: string;
  readonly kind: AccessKind;
  readonly rotated: boolean;
  readonly created: number;
  readonly credentials: readonly CheckedCredential[];
  readonly exposures: readonly Exposure[];
  /** What is to be done elsewhere, for pasting. */
  readonly commands: readonly string[];
}

export function registeredLines(found: RegisterResult, nowMs: number): string[] {
  const version = found.version === null ? "" : ` (${found.version})`;
  const lines = [
    `${found.rotated ? "Rotated the credentials of" : "Registered"} ${found.name}: ` +
      `${plain(found.server)}${version}`,
  ];
  for (const { bearer, user, expiresAtMs, missing, excess } of found.credentials) {
    const end =
      expiresAtMs === null
        ? "no expiry known"
        : `expires ${new Date(expiresAtMs).toISOString().slice(0, 10)} (in ` +
          `${span(expiresAtMs - nowMs)})`;
    lines.push(
      `  ${bearer === "read" ? "Reads" : "Restores"} as ` +
        `${plain(user ?? "an unknown user")}; ${end}`,
    );
    for (const question of missing) lines.push(`    Not granted: ${questionText(question)}`);
    for (const one of excess) lines.push(`    More than needed: ${plain(excessText(one))}`);
  }
  lines.push(...exposureLines(found));
  if (found.commands.length > 0)
    lines.push("", "On AWS, once:", ...found.commands.map((command) => `  ${command}`));
  return lines;
}

const MAX_EXPOSED = 8;

/** What else the reading credential sees, since Kubernetes can't narrow list and get. */
function exposureLines({ exposures, name }: RegisterResult): string[] {
  if (exposures.length === 0) return [];
  const total = exposures.reduce((sum, { others }) => sum + others, 0);
  const more = exposures.length - MAX_EXPOSED;
  return [
    "",
    `The reading credential can also read ${count(total, "Secret")} without certificates:`,
    ...exposures.slice(0, MAX_EXPOSED).map(({ namespace, others, names }) => {
      const rest = others > names.length ? ` and ${others - names.length} more` : "";
      return `  ${plain(namespace)}: ${plain(names.join(", "))}${rest}`;
    }),
    ...(more > 0 ? [`  and ${more} more namespaces`] : []),
    "To avoid that, name each Secret, or audit from inside the cluster:",
    `  certkeep clusters add ${name} --parts named --secret NAMESPACE/NAME`,
    `  certkeep clusters add ${name} --in-cluster IMAGE`,
  ];
}

export function registeredDocument(found: Pick<RegisterResult, "credentials">): object {
  return {
    ...found,
    credentials: found.credentials.map((credential) => ({
      ...credential,
      missing: credential.missing.map((question) => ({
        ...question,
        capability: { ...question.capability, without: withoutText(question.capability) },
      })),
      excess: credential.excess.map((one) => ({
        text: excessText(one),
        dangerous: one.dangerous,
      })),
    })),
  };
}

export function partLines(parts: readonly Part[], all: readonly Part[]): string[] {
  return all.map(
    (part) => `  ${parts.includes(part) ? "+" : " "} ${part.padEnd(17)}${PART_TITLES[part]}`,
  );
}
