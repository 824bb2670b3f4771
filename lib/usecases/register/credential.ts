/** The credentials of a registration: who is given the permissions, and how each comes about. */
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { formatMs } from "../../certificate/time.ts";
import type { ObjectName } from "../../ports/cluster.ts";
import {
  ACCESS_NAMESPACE,
  accessName,
  bearersOf,
  kubeconfigText,
  type StoredCredential,
  type Subject,
  tokenSecret,
} from "../../rbac/manifest.ts";
import type { Bearer } from "../../rbac/table.ts";
import { commandLine, literal } from "../../report/command.ts";
import { mismatch, type ClusterIdentity } from "../../state/identity.ts";
import { nameOf } from "./remove.ts";
import type { OpenedCredential, RegisterPorts, RegisterRequest } from "./context.ts";

const DAY_MS = 86_400_000;
/**
 * A token for audits that run by themselves has to live at least this long: somebody must have time
 * to renew it.
 */
const LEAST_TOKEN_DAYS = 30;
export async function subjectOf(
  request: RegisterRequest,
  ports: RegisterPorts,
): Promise<Subject | null> {
  const { kind, eks, name, plan } = request;
  if (kind === "token" || kind === "token-secret" || kind === "in-cluster")
    return { kind: "ServiceAccount" };
  if (kind === "eks")
    return {
      kind: "Group",
      names: {
        read: accessName(name, "read"),
        restore: eks?.restoreRole === null ? null : accessName(name, "restore"),
      },
    };
  const names: Record<Bearer, string | null> = { read: null, restore: null };
  for (const bearer of bearersOf(plan)) {
    const credential = ports.brought[bearer];
    if (credential === null) continue;
    const opened = await ports.open(bearer, kubeconfigText(name, ports.place, credential), null);
    try {
      names[bearer] = await opened.self.whoAmI();
    } finally {
      await opened.close();
    }
    if (names[bearer] === null)
      ports.note(
        `cluster ${name}: the server is too old to say who the ` +
          `${bearer === "read" ? "reading" : "restoring"} credential is, so nothing is granted ` +
          "to it",
      );
  }
  return { kind: "User", names };
}

const PART_LACKS = "it is missing, and the part restore needs it";

/**
 * What a person has to bring is asked for before anything is applied. @throws CertkeepError usage
 */
export function refuseIncomplete(
  { name, kind, plan, eks }: RegisterRequest,
  { brought }: Pick<RegisterPorts, "brought">,
): void {
  const lacks = (where: string, found: string, todo: string): CertkeepError =>
    new CertkeepError("usage", { where, found, todo });
  const restores = bearersOf(plan).includes("restore");
  if (kind === "token" || kind === "token-secret") return;
  if (kind === "eks") {
    if (restores && eks?.restoreRole === null)
      throw lacks("--restore-role", PART_LACKS, "Give the ARN of an IAM role that restores");
    return;
  }
  if (brought.read === null)
    throw lacks(
      "--credential",
      "it is missing",
      `Give a kubeconfig of a credential that reads cluster ${name}`,
    );
  if (restores && brought.restore === null)
    throw lacks(
      "--restore-credential",
      PART_LACKS,
      "Give a kubeconfig of the restoring credential",
    );
}

export async function makeCredential(
  request: RegisterRequest,
  bearer: Bearer,
  ports: RegisterPorts,
  created: ObjectName[],
): Promise<{ readonly credential: StoredCredential; readonly expiresAtMs: number | null } | null> {
  const { name, kind } = request;
  const account = accessName(name, bearer);
  switch (kind) {
    case "token": {
      const granted = await ports.registrar.requestToken(
        ACCESS_NAMESPACE,
        account,
        request.tokenDays * 86_400,
      );
      return {
        credential: { kind: "token", token: granted.token },
        expiresAtMs: granted.expiresAtMs,
      };
    }
    case "token-secret": {
      const stamp = formatMs(ports.clock.nowMs())
        .replaceAll(/[^0-9]/g, "")
        .slice(0, 14);
      const secret = tokenSecret(name, bearer, stamp);
      if ((await ports.registrar.apply(secret)) === "created") created.push(nameOf(secret));
      const granted = await ports.registrar.readToken(ACCESS_NAMESPACE, secret.metadata.name);
      return { credential: { kind: "token", token: granted.token }, expiresAtMs: null };
    }
    case "eks":
      if (bearer === "restore" && request.eks?.restoreRole === null) return null;
      return { credential: { kind: "none" }, expiresAtMs: null };
    default: {
      const credential = ports.brought[bearer];
      return credential === null ? null : { credential, expiresAtMs: null };
    }
  }
}

export function refuseShort(
  request: RegisterRequest,
  bearer: Bearer,
  expiresAtMs: number | null,
  nowMs: number,
): void {
  if (
    expiresAtMs === null ||
    request.tokenDays < LEAST_TOKEN_DAYS ||
    expiresAtMs - nowMs >= LEAST_TOKEN_DAYS * DAY_MS - 60_000
  )
    return;
  const days = Math.max(0, (expiresAtMs - nowMs) / DAY_MS);
  throw new CertkeepError("usage", {
    where: `cluster ${request.name}, the ${bearer === "read" ? "reading" : "restoring"} credential`,
    found:
      `it ends at ${new Date(expiresAtMs).toISOString()}, in ` +
      (days < 2 ? `${Math.round(days * 24)} hours` : `${Math.floor(days)} days`) +
      (request.kind === "token"
        ? `, though ${request.tokenDays} days were asked for: the server caps tokens`
        : ""),
    todo:
      `An audit that runs by itself needs at least ${LEAST_TOKEN_DAYS} days. ` +
      "Ways that work: --eks ARN --role ARN (IAM on Amazon EKS), --credential with a client " +
      "certificate, --days never (a token that ends when its Secret is deleted; its age is " +
      "watched), or auditing from inside the cluster: --in-cluster IMAGE. For audits by hand " +
      "alone: --days 1",
  });
}

export function sameUid(
  context: ClusterIdentity,
  seen: ClusterIdentity,
  name: string,
): string | null {
  const { uid, caSha256, host = null } = context;
  const differs = mismatch({ uid, caSha256, host }, seen);
  if (differs === null || differs === "uid") return seen.uid;
  throw new CertkeepError("usage", {
    where: `cluster ${name}`,
    found: "the credential leads to another cluster than the context",
    todo: "Use a credential and a context of the same cluster",
  });
}

/**
 * The first thing that a credential is used for; `null`: it isn't accepted yet. On EKS nobody is
 * let in before an access entry says so.
 */
export async function firstLook(
  opened: OpenedCredential,
  request: RegisterRequest,
): Promise<ClusterIdentity | null> {
  try {
    return await opened.reader.identity();
  } catch (error) {
    if (
      request.kind === "eks" &&
      isCertkeepError(error, "cluster_unauthorized") &&
      error.parts.answered === true
    ) {
      throw new CertkeepError("cluster_unauthorized", {
        where: `cluster ${request.name}`,
        found: "EKS denied the role",
        todo: "Nothing was registered. Make access entries for it, then run this again:",
        lines: accessEntryCommands(request),
      });
    }
    // A token that was just made may be unknown to a server that answers from its cache: the check
    // waits for it.
    if (isCertkeepError(error, "cluster_unauthorized") && request.apply) return null;
    throw error;
  }
}

export function accessEntryCommands({ kind, eks, name, plan }: RegisterRequest): string[] {
  if (kind !== "eks" || eks === null) return [];
  return bearersOf(plan).flatMap((bearer) => {
    const role = bearer === "read" ? eks.role : eks.restoreRole;
    if (role === null) return [];
    const line = commandLine(
      literal("aws eks create-access-entry --cluster-name"),
      eks.cluster,
      literal("--region"),
      eks.region,
      literal("--principal-arn"),
      role,
      literal("--kubernetes-groups"),
      accessName(name, bearer),
    );
    return line === null ? [] : [line];
  });
}
