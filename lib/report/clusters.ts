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
  /** RFC 3339. */
  readonly credentialEndsAt: string | null;
  /** Why it can't be used. */
  readonly problems: readonly string[];
}

export function clustersText(
  rows: readonly ClusterRow[],
  view: { readonly nowMs: number; readonly width: number },
): string {
  if (rows.length === 0)
    return (
      "No cluster is registered, and certkeep.yaml names none: an audit takes the current " +
      "context of your kubeconfig.\n" +
      "Register one with: certkeep clusters add NAME --context CTX"
    );
  const ago = (at: string): string => `${span(view.nowMs - parseMs(at))} ago`;
  const table = tableLines(
    ["NAME", "SERVER", "IDENTITY", "KIND", "MAY READ", "LAST AUDIT", "CREDENTIAL ENDS"],
    rows.map((row) => [
      row.name,
      row.server ?? "unknown",
      row.identity ?? "not seen yet",
      row.kind ?? (row.registered ? "registered" : "certkeep.yaml"),
      mayRead(row),
      row.lastAudit === null
        ? "never"
        : `${ago(row.lastAudit.at)}${row.lastAudit.complete ? "" : ", incomplete"}`,
      endText(row, view.nowMs),
    ]),
    view.width,
  );
  return [
    ...table,
    ...rows.flatMap(({ name, problems }) =>
      problems.map((problem) => `${plain(name)}: ${plain(problem)}`),
    ),
  ].join("\n");
}

function mayRead(row: ClusterRow): string {
  const where =
    row.namespaces === null
      ? "all it may see"
      : row.namespaces.length === 0
        ? "named Secrets"
        : row.namespaces.join(", ");
  return `${where}${row.restores ? "; restores" : ""}`;
}

function endText({ credentialEndsAt, kind }: ClusterRow, nowMs: number): string {
  if (credentialEndsAt === null)
    return kind === "eks"
      ? "renews itself"
      : kind === "token-secret"
        ? "never by itself"
        : "not told";
  const left = parseMs(credentialEndsAt) - nowMs;
  return left < 0 ? `ended ${span(left)} ago` : `in ${span(left)}`;
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
  /** Key of the cluster's identity. */
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
  const lines = [
    `${found.rotated ? "Rotated the credentials of" : "Registered"} ${found.name}: ` +
      `${plain(found.server)}${found.version === null ? "" : `, ${found.version}`}, identity ` +
      `${found.identity}`,
  ];
  for (const { bearer, user, expiresAtMs, missing, excess } of found.credentials) {
    const end =
      expiresAtMs === null
        ? "no end by its own words"
        : `ends ${new Date(expiresAtMs).toISOString().slice(0, 16)}Z, in ` +
          `${span(expiresAtMs - nowMs)}`;
    lines.push(
      `  ${bearer === "read" ? "reads" : "restores"} as ` +
        `${plain(user ?? "a user that the server doesn't tell")} (${end}); every permission was ` +
        "asked of the server",
    );
    for (const question of missing) lines.push(`    not granted: ${questionText(question)}`);
    for (const one of excess) lines.push(`    accepted beyond need: ${plain(excessText(one))}`);
  }
  if (found.exposures.length > 0) {
    const total = found.exposures.reduce((sum, { others }) => sum + others, 0);
    lines.push(
      "",
      "  Kubernetes can't narrow list and get to certificates: the reading credential can " +
        `also read ${count(total, "Secret")} that ${total === 1 ? "is" : "are"} none:`,
    );
    for (const { namespace, others, names } of found.exposures.slice(0, 8))
      lines.push(
        `    ${plain(namespace)}: ` +
          `${plain(names.join(", "))}${others > names.length ? `, and ${others - names.length} more` : ""}`,
      );
    lines.push(
      "  Two other ways are as good:",
      `    certkeep clusters add ${found.name} --parts named --secret NAMESPACE/NAME …   ` +
        "reads by name alone; name each new certificate",
      `    certkeep clusters add ${found.name} --in-cluster IMAGE                         ` +
        "audits from inside; no credential leaves the cluster",
    );
  }
  if (found.commands.length > 0)
    lines.push(
      "",
      "  To be done on AWS, once:",
      ...found.commands.map((command) => `    ${command}`),
    );
  return lines;
}

/** A registration in a JSON document. */
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

/** What each part of a plan is for, one line each. */
export function partLines(parts: readonly Part[], all: readonly Part[]): string[] {
  return all.map(
    (part) => `  ${parts.includes(part) ? "+" : " "} ${part.padEnd(17)}${PART_TITLES[part]}`,
  );
}
