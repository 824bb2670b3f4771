/** What must hold of a cluster before it is registered, and what a person should know of it. */
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { mismatchText } from "../../report/pinning.ts";
import type { StateDocument } from "../../state/document.ts";
import { notPinned, type ClusterIdentity } from "../../state/identity.ts";
import { earlierState } from "../pin.ts";
import { readState } from "../states.ts";
import type { AccessObject } from "../../rbac/manifest.ts";
import { namespacesOf } from "../../rbac/rules.ts";
import type { RegisterPorts, RegisterRequest } from "./context.ts";

/** Server-side apply and bound tokens are in every server since then (Kubernetes 1.22). */
const OLDEST_MINOR = 22;
/** Tested against servers up to this one. */
const NEWEST_MINOR = 34;

export interface SeenCluster {
  readonly version: string | null;
  readonly identity: ClusterIdentity;
  /** Another cluster than the recorded one, and its successor. */
  readonly isSuccessor: boolean;
  /** What audits know of it from before it had this name, which is taken over. */
  readonly earlier: StateDocument | null;
}

export async function examineCluster(
  request: RegisterRequest,
  ports: RegisterPorts,
): Promise<SeenCluster> {
  const { name } = request;
  const { version } = await ports.self.facts();
  judgeVersion(version, request, ports);
  const identity = await ports.reader.identity();
  const isSuccessor = await judgeIdentity(identity, request, ports);
  for (const group of await ports.self.deadGroups())
    ports.note(
      `cluster ${name}: the API group ${group} doesn't answer (its server is down); what it ` +
        "serves isn't known",
    );
  if (ports.place.server.replace(/:\d+$/, "").endsWith(".ts.net")) {
    ports.note(
      `cluster ${name}: the server's name ends in .ts.net, so Tailscale issues its ` +
        "certificate. If that is lost, certkeep can't reach the cluster to restore it. " +
        "Register the API server's direct address as well",
    );
  }
  await refuseNamed(identity, request, ports);
  const earlier = await earlierState(ports.states, name, identity, ports.place.server);
  if (earlier !== null)
    ports.note(
      `cluster ${name}: takes over what audits recorded of it as ${earlier.title}, ` +
        "backups included",
    );
  return { version, identity, isSuccessor, earlier };
}

/**
 * Namespaces to create, since a Role can't be applied in one that isn't there.
 * @throws CertkeepError usage, for a namespace that nothing knows
 */
export async function missingNamespaces(
  { name: cluster, plan, knownNamespaces }: RegisterRequest,
  { reader }: Pick<RegisterPorts, "reader">,
): Promise<AccessObject[]> {
  const missing: AccessObject[] = [];
  for (const name of namespacesOf(plan)) {
    const ref = { apiVersion: "v1", kind: "Namespace", namespace: null, name };
    if ((await reader.presence(ref)).state !== "absent") continue;
    if (!knownNamespaces.includes(name))
      throw noNamespace(cluster, name, await namespacesWithTls(reader));
    missing.push({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  return missing;
}

function noNamespace(cluster: string, name: string, found: readonly string[]): CertkeepError {
  const options = found.slice(0, MAX_OFFERED).map((one) => `--namespace ${one}`);
  return new CertkeepError("usage", {
    where: `cluster ${cluster}`,
    found: `there is no namespace ${name}`,
    todo:
      (found.length === 0
        ? "Name one that exists (--namespace NAMESPACE), or use --all-namespaces"
        : `Certificates are in: ${options.join(" ")}`) +
      `. Or create it: kubectl create namespace ${name}`,
  });
}

const MAX_OFFERED = 10;

/** Those in which there are TLS Secrets; none without permission to list them. */
async function namespacesWithTls(reader: RegisterPorts["reader"]): Promise<readonly string[]> {
  const found = new Set<string>();
  try {
    const pages = reader.listMetadata({ namespace: null, fieldSelector: "type=kubernetes.io/tls" });
    for await (const page of pages) for (const { namespace } of page) found.add(namespace);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return [];
  }
  return [...found].toSorted();
}

/** Under two names each certificate would be audited and backed up twice. */
async function refuseNamed(
  seen: ClusterIdentity,
  { name }: RegisterRequest,
  { states, otherNames }: RegisterPorts,
): Promise<void> {
  for (const other of otherNames) {
    const state = await readState(states, other);
    if (state?.identity?.uid == null || notPinned(state, seen) !== null) continue;
    throw new CertkeepError("usage", {
      where: `cluster ${name}`,
      found: `certkeep.yaml names this cluster already, as ${other}`,
      todo:
        "Use that name, so that its history and its backups stay with it: certkeep clusters add " +
        other,
    });
  }
}

function judgeVersion(
  version: string | null,
  request: RegisterRequest,
  ports: RegisterPorts,
): void {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(version ?? "") ?? [];
  if (major === undefined || minor === undefined) return;
  if (Number(major) === 1 && Number(minor) < OLDEST_MINOR && request.apply) {
    throw new CertkeepError("usage", {
      where: `cluster ${request.name}`,
      found:
        `its API server has version ${version}, and certkeep needs 1.${OLDEST_MINOR} or later, ` +
        "for server-side apply and for tokens of a chosen lifetime",
      todo:
        `Apply the manifest by hand (certkeep clusters add ${request.name} --print) and bring a ` +
        "credential: --credential FILE --no-apply",
    });
  }
  if (Number(major) > 1 || Number(minor) > NEWEST_MINOR)
    ports.note(
      `cluster ${request.name}: its version ${version} is newer than those that this certkeep ` +
        `was tested with (up to 1.${NEWEST_MINOR})`,
    );
}

async function judgeIdentity(
  seen: ClusterIdentity,
  request: RegisterRequest,
  ports: RegisterPorts,
): Promise<boolean> {
  const { name } = request;
  const state = await readState(ports.states, name);
  const differs = state === null ? null : notPinned(state, seen);
  if (differs === null) {
    if (request.rebuilt)
      ports.note(
        state?.identity == null
          ? `cluster ${name}: nothing was recorded of it, so there is no predecessor`
          : `cluster ${name}: this is the cluster as recorded: it was not rebuilt`,
      );
    return false;
  }
  const differing = mismatchText(differs);
  if (differs.kind !== "another") {
    ports.note(`cluster ${name}: ${differing}. It is pinned as it is now`);
    return false;
  }
  if (request.rebuilt) return true;
  throw new CertkeepError("usage", {
    where: `cluster ${name}`,
    found: `the name is another cluster's: ${differing}`,
    todo:
      `Choose another name; or, if ${name} was rebuilt: ` +
      `certkeep clusters add ${name} --rebuilt`,
  });
}
