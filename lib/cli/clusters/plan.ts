/** What the options of `clusters add` ask for, over what the registration has. */
import { InvalidArgumentError } from "commander";
import { LABEL, SECRET_REF } from "../../config/form.ts";
import type { ClusterEntry, EksAccess, SecretRef } from "../../config/cluster.ts";
import { CertkeepError } from "../../error.ts";
import { plain } from "../../plain.ts";
import type { AccessPlan } from "../../rbac/rules.ts";
import { PARTS, type AccessKind, type Part } from "../../rbac/table.ts";
import type { CommonOptions } from "../options.ts";

export interface AddOptions extends Omit<CommonOptions, "namespace"> {
  readonly namespace?: readonly string[];
  readonly allNamespaces?: boolean;
  readonly secret?: readonly SecretRef[];
  readonly parts?: readonly Part[];
  /** Besides those that are registered. */
  readonly with?: readonly Part[];
  readonly days?: number | "never";
  readonly eks?: EksCluster;
  readonly role?: string;
  readonly restoreRole?: string;
  readonly credential?: string;
  readonly restoreCredential?: string;
  readonly apply: boolean;
  readonly allowBroad?: boolean;
  readonly rebuilt?: boolean;
  readonly print?: true | "registration" | "policy";
  readonly inCluster?: string;
  readonly backups?: string;
  readonly state?: string;
  readonly yes?: boolean;
}

interface EksCluster {
  readonly cluster: string;
  readonly region: string;
}

type Existing = Omit<ClusterEntry, "name"> | null;

/** Diagnosis too, since without it causes stay unknown. */
const DEFAULT_PARTS: readonly Part[] = ["secrets", "parents", "diagnosis"];
const DEFAULT_NAMESPACE = "tailscale";
/** A year, so that a yearly chore renews it. */
const DEFAULT_DAYS = 365;

export const daysAsked = ({ days }: AddOptions): number =>
  days === undefined || days === "never" ? DEFAULT_DAYS : days;

export function namesPlan(options: AddOptions): boolean {
  const { namespace, allNamespaces, secret, parts } = options;
  return [namespace, allNamespaces, secret, parts, options.with].some((one) => one !== undefined);
}

/** Secrets without a namespace are read by name alone: nothing is listed. */
function isByName(options: AddOptions, existing: Existing): boolean {
  if (options.namespace !== undefined || options.allNamespaces === true) return false;
  if (options.parts !== undefined) return !options.parts.includes("secrets");
  return existing === null ? options.secret !== undefined : existing.namespaces?.length === 0;
}

export function planOf(
  options: AddOptions,
  existing: Existing,
  seen: readonly string[] = [],
): AccessPlan {
  const secrets = [...(existing?.secrets ?? []), ...(options.secret ?? [])].filter(
    ({ namespace, name }, index, all) =>
      all.findIndex((one) => one.namespace === namespace && one.name === name) === index,
  );
  const byName = isByName(options, existing);
  const given = [
    ...(options.parts ?? existing?.access?.parts ?? DEFAULT_PARTS),
    ...(options.with ?? []),
  ];
  const wanted = (part: Part): boolean => {
    if (part === "secrets") return given.includes(part) && !byName;
    return part === "named" ? secrets.length > 0 : given.includes(part);
  };
  const parts = PARTS.filter(wanted);
  if (!parts.includes("secrets") && !parts.includes("named"))
    throw new CertkeepError("usage", {
      where: "--parts",
      found: "certkeep could read nothing without the part secrets or a --secret",
      todo: "Add one of the two",
    });
  return { parts, namespaces: byName ? [] : namespacesOf(options, existing, seen), secrets };
}

/** `seen`: where audits saw certificates, of a cluster that isn't registered yet. */
function namespacesOf(
  options: AddOptions,
  existing: Existing,
  seen: readonly string[],
): readonly string[] | null {
  if (options.allNamespaces === true) return null;
  const usual = seen.length > 0 ? seen : [DEFAULT_NAMESPACE];
  const isListed =
    existing !== null &&
    existing.namespaces?.length !== 0 &&
    (existing.access !== null || existing.namespaces !== null);
  const wanted = options.namespace ?? (isListed ? existing.namespaces : usual);
  const pattern = wanted?.find((namespace) => namespace.includes("*"));
  if (pattern !== undefined)
    throw new CertkeepError("usage", {
      where: `namespace ${pattern}`,
      found: "this is a pattern, and RBAC has no patterns",
      todo: "Name each namespace, or use --all-namespaces",
    });
  return wanted;
}

/** `brought`: what `--credential` holds. @throws CertkeepError usage */
export function kindOf(
  options: AddOptions,
  existing: Existing,
  brought: "token" | "pair" | "none" | null,
): AccessKind {
  if (brought !== null) return brought === "pair" ? "certificate" : "kubeconfig";
  if (options.eks !== undefined) return "eks";
  if (options.days !== undefined) return options.days === "never" ? "token-secret" : "token";
  const kind = existing?.access?.kind ?? "token";
  if (kind === "certificate" || kind === "kubeconfig")
    throw new CertkeepError("usage", {
      where: "--credential",
      found: `a registration of the kind ${kind} needs the new credential`,
      todo: `Name its file, or let certkeep make a token: --days ${DEFAULT_DAYS}`,
    });
  return kind;
}

export function eksOf(options: AddOptions, existing: Existing, kind: AccessKind): EksAccess | null {
  if (kind !== "eks") return null;
  const eks = options.eks ?? existing?.eks;
  const role = options.role ?? existing?.eks?.role;
  if (eks == null || role === undefined)
    throw new CertkeepError("usage", {
      where: "--eks",
      found: "the cluster or the role is missing",
      todo: "Use --eks with the cluster's ARN, and --role with the ARN of a role that reads",
    });
  return {
    cluster: eks.cluster,
    region: eks.region,
    role,
    restoreRole: options.restoreRole ?? existing?.eks?.restoreRole ?? null,
  };
}

export function each<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

export function parseNamespace(text: string): string {
  if (!LABEL.test(text) && !text.includes("*"))
    throw new InvalidArgumentError("Expected a namespace: small letters, digits and -.");
  return text;
}

export function parseSecret(text: string): SecretRef {
  if (!SECRET_REF.test(text)) throw new InvalidArgumentError("Expected NAMESPACE/NAME.");
  const [namespace = "", name = ""] = text.split("/");
  return { namespace, name };
}

/** May be given several times: a command that is offered for pasting holds no comma. */
export function parseParts(text: string, before: readonly Part[] = []): readonly Part[] {
  const wanted = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const unknown = wanted.find((part) => !PARTS.includes(part as Part));
  if (unknown !== undefined)
    throw new InvalidArgumentError(
      `Unknown part ${plain(unknown)}. Expected: ${PARTS.join(", ")}.`,
    );
  return [...before, ...(wanted as Part[])];
}

export function parseDays(text: string): number | "never" {
  const days = Number(text);
  if (text === "never") return text;
  if (!Number.isInteger(days) || days < 1 || days > 3650)
    throw new InvalidArgumentError("Expected a whole number of days from 1 to 3650, or never.");
  return days;
}

export function parseEks(text: string): EksCluster {
  const [, region, cluster] =
    /^arn:aws[a-z-]*:eks:([a-z0-9-]+):\d{12}:cluster\/([\w-]{1,100})$/u.exec(text) ?? [];
  if (region === undefined || cluster === undefined)
    throw new InvalidArgumentError("Expected arn:aws:eks:REGION:ACCOUNT:cluster/NAME.");
  return { cluster, region };
}
