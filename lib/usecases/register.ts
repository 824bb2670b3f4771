/**
 * Registers a cluster: applies the RBAC with consent, makes a reading credential and, apart from
 * it, a restoring one, asks the server what each may really do, and writes the registration last,
 * so that nothing is ever half registered. Run again it rotates the credentials and repairs the
 * RBAC; the ones before stay valid until the next time, for an audit that is under way.
 *
 * Refused: a name that another cluster has, unless it was rebuilt; a credential that may do too
 * much, or too little to be of use; a token that ends before somebody would think of it. The
 * successor of a rebuilt cluster begins a new state, and the old one is kept whole under the name
 * `predecessor-NAME-IDENTITY`, from which a restore takes.
 */
import { mismatchText } from "../report/pinning.ts";
import {
  accessName,
  accessObjects,
  ACCESS_NAMESPACE,
  bearersOf,
  registrationSelector,
  tokenSecret,
  type AccessObject,
  type Subject,
} from "../rbac/manifest.ts";
import { kubeconfigText, type StoredCredential } from "../rbac/kubeconfig.ts";
import type { Bearer } from "../rbac/table.ts";
import { formatMs } from "../certificate/time.ts";
import { parseRegistration } from "../config/parse.ts";
import { registrationText } from "../config/registration.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { commandLine, literal } from "../report/shell.ts";
import type { ObjectName } from "../ports/cluster.ts";
import type { NextRegistration, StoredRegistration } from "../ports/registry.ts";
import { identityKey, mismatch, notPinned, type ClusterIdentity } from "../state/identity.ts";
import { checkCredential, exposuresOf, rulesOfEverybody } from "./register/check.ts";
import type {
  CheckedCredential,
  OpenedCredential,
  RegisterPorts,
  RegisterRequest,
  RegisterResult,
} from "./register/context.ts";
import { pinByPerson } from "./restore/pin.ts";
import { loadState } from "./states.ts";

const DAY_MS = 86_400_000;
/**
 * A token for audits that run by themselves has to live at least this long: somebody must have time
 * to renew it.
 */
const LEAST_TOKEN_DAYS = 30;
/** Server-side apply and bound tokens are in every server since then (Kubernetes 1.22). */
const OLDEST_MINOR = 22;
/** Tested against servers up to this one. */
const NEWEST_MINOR = 34;

/** @throws CertkeepError one plain message for each thing that keeps it from being registered */
export async function runRegister(
  request: RegisterRequest,
  ports: RegisterPorts,
): Promise<RegisterResult> {
  const { name } = request;
  const { version } = await ports.self.facts();
  judgeVersion(version, request, ports);
  const identity = await ports.reader.identity();
  const successor = await judgeIdentity(identity, request, ports);
  for (const group of await ports.self.deadGroups())
    ports.note(
      `cluster ${name}: the API group ${group} doesn't answer (its server is down); what it ` +
        "serves isn't known",
    );
  if (ports.place.server.replace(/:\d+$/, "").endsWith(".ts.net")) {
    ports.note(
      `cluster ${name}: the server's name ends in .ts.net, so its certificate is one of those ` +
        "that are kept here: if it is lost, the cluster can't be reached to restore it. " +
        "Register the API server's direct address as well",
    );
  }
  const subject = await subjectOf(request, ports);
  const objects =
    request.apply && subject !== null ? accessObjects(name, request.plan, subject) : [];
  const before = await ports.registrations.read(name);
  const go = await ports.consent({
    server: ports.place.server,
    version,
    objects,
    rotates: before !== null,
  });
  if (!go)
    throw new CertkeepError("usage", {
      where: `cluster ${name}`,
      found: "no consent",
      todo: "Nothing was changed",
    });

  const created: ObjectName[] = [];
  const opened: OpenedCredential[] = [];
  const under: Under = { created, opened, before, identity, version, done: false };
  try {
    for (const object of objects)
      if ((await ports.registrar.apply(object)) === "created") created.push(nameOf(object));
    const { result, uid } = await provide(request, ports, under);
    const { server } = ports.place;
    const target = { cluster: name, title: name, server, successor };
    await pinByPerson(ports.states, target, { ...identity, uid }, ports.clock.nowMs());
    await tidy(request, ports, objects, before);
    return result;
  } catch (error) {
    // Once the registration is written it is whole: what failed after it is mended by running this
    // again.
    if (!under.done) await undo(name, before === null ? created : [], ports);
    throw error;
  } finally {
    await Promise.all(opened.map((one) => one.close()));
  }
}

interface Under {
  readonly created: ObjectName[];
  readonly opened: OpenedCredential[];
  readonly before: StoredRegistration | null;
  readonly identity: ClusterIdentity;
  readonly version: string | null;
  /** The registration is written. */
  done: boolean;
}

/**
 * Credentials made, checked and written, then the registration. `uid`: of kube-system, as all of
 * them see it; `null` where one may not.
 */
async function provide(
  request: RegisterRequest,
  ports: RegisterPorts,
  under: Under,
): Promise<{ readonly result: RegisterResult; readonly uid: string | null }> {
  const { name, plan } = request;
  const uids = new Set<string | null>();
  const nowMs = ports.clock.nowMs();
  const everybody = await rulesOfEverybody(ports.registrar, plan);
  const credentials: CheckedCredential[] = [];
  const texts = new Map<Bearer, string>();
  for (const bearer of bearersOf(plan)) {
    const credential = await credentialOf(request, bearer, ports, under.created);
    if (credential === null) continue;
    const text = kubeconfigText(name, ports.place, credential.credential);
    const one = await ports.open(bearer, text, request.eks);
    under.opened.push(one);
    const early = await firstLook(one, request);
    const checked = await checkCredential(one, plan, bearer, {
      name,
      fresh: request.apply,
      allowBroad: request.allowBroad,
      everybody,
      timer: ports.timer,
    });
    uids.add(sameUid(under.identity, early ?? (await one.reader.identity()), name));
    const expiresAtMs = credential.expiresAtMs ?? checked.expiresAtMs;
    refuseShort(request, bearer, expiresAtMs, nowMs);
    credentials.push({ ...checked, expiresAtMs });
    texts.set(bearer, text);
  }
  const [reading] = under.opened;
  const exposures = reading === undefined ? [] : await exposuresOf(reading.reader, plan);
  const read = texts.get("read");
  if (read === undefined)
    throw new CertkeepError("usage", {
      where: `cluster ${name}`,
      found: "no reading credential",
      expected: "one, by --credential FILE",
    });
  const access = {
    kind: request.kind,
    parts: plan.parts,
    since: formatMs(nowMs - (nowMs % 1000)),
    broad: credentials.some(({ excess }) => excess.length > 0),
  };
  const before = under.before === null || under.before.text === "" ? null : under.before.text;
  await writeRegistration(
    name,
    under.before,
    { read, restore: texts.get("restore") ?? null },
    (names) =>
      registrationText(before, {
        kubeconfig: names.read,
        restoreKubeconfig: names.restore,
        plan,
        eks: request.eks,
        access,
        schema: ports.schema,
      }),
    ports,
  );
  under.done = true;
  // Whatever a credential can't see would be missing at its every use.
  const uid = uids.has(null) ? null : ([...uids][0] ?? null);
  if (uid === null)
    ports.note(
      `cluster ${name}: its credentials may not read the namespace kube-system, so its CA and ` +
        "its address alone tell which cluster it is",
    );
  const result: RegisterResult = {
    name,
    server: ports.place.server,
    version: under.version,
    identity: identityKey({ ...under.identity, uid }, ports.place.server),
    kind: request.kind,
    rotated: under.before !== null,
    created: under.created.length,
    credentials,
    exposures,
    commands: commandsOf(request),
  };
  return { result, uid };
}

/** @throws CertkeepError usage */
function sameUid(context: ClusterIdentity, seen: ClusterIdentity, name: string): string | null {
  const { uid, caSha256, host = null } = context;
  const differs = mismatch({ uid, caSha256, host }, seen);
  if (differs === null || differs === "uid") return seen.uid;
  throw new CertkeepError("usage", {
    where: `cluster ${name}`,
    found: "the credential leads to another cluster than the context",
    expected: "one and the same",
  });
}

/**
 * The first thing that a credential is used for; `null`: it isn't accepted yet. On EKS nobody is
 * let in before an access entry says so.
 */
async function firstLook(
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
        found: "EKS doesn't let the role in",
        expected: "an access entry for it",
        todo: "Nothing was registered. Make the entries, then run this again:",
        lines: commandsOf(request),
      });
    }
    // A token that was just made may be unknown to a server that answers from its cache: the check
    // waits for it.
    if (isCertkeepError(error, "cluster_unauthorized") && request.apply) return null;
    throw error;
  }
}

async function writeRegistration(
  name: string,
  before: StoredRegistration | null,
  credentials: NextRegistration["credentials"],
  render: (names: Parameters<NextRegistration["text"]>[0]) => string | null,
  ports: RegisterPorts,
): Promise<void> {
  const where = ports.registrations.where(name);
  const text = (names: Parameters<NextRegistration["text"]>[0]): string => {
    const rendered = render(names);
    if (rendered !== null && parseRegistration(rendered, "").ok) return rendered;
    throw new CertkeepError("config_invalid", {
      where,
      found: "a registration that can't be completed as it is written",
      expected: "settings, one a line",
      todo: "Mend it, or remove it, and run this again",
    });
  };
  if ((await ports.registrations.write(name, before, { credentials, text })) === "written") return;
  throw new CertkeepError("state_conflict", {
    where,
    found:
      before === null
        ? "a registration that somebody else made in the meantime"
        : "a change by somebody else in the meantime",
    todo: "It was left as it is. Look at it, then run this again",
  });
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
        `an API server of version ${version}, which has no server-side apply and no tokens with ` +
        "an end that can be asked for",
      expected: `1.${OLDEST_MINOR} or later`,
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

/** @returns whether another cluster is to become the successor of the one that is recorded */
async function judgeIdentity(
  seen: ClusterIdentity,
  request: RegisterRequest,
  ports: RegisterPorts,
): Promise<boolean> {
  const { name } = request;
  const state = (await loadState(ports.states, name))?.state ?? null;
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
  const { found, expected } = mismatchText(differs);
  if (differs.kind !== "another") {
    ports.note(`cluster ${name}: ${found}; so far: ${expected}. It is pinned as it is now`);
    return false;
  }
  if (request.rebuilt) return true;
  throw new CertkeepError("usage", {
    where: `cluster ${name}`,
    found: `the name is another cluster's: ${found}`,
    expected,
    todo: `Choose another name; or, if ${name} was rebuilt: certkeep clusters add ${name} --rebuilt`,
  });
}

async function subjectOf(request: RegisterRequest, ports: RegisterPorts): Promise<Subject | null> {
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

async function credentialOf(
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
      if (credential === null && bearer === "restore")
        throw new CertkeepError("usage", {
          where: "--restore-credential",
          found: "none",
          expected: "a kubeconfig of the restoring credential, since the parts name restore",
        });
      return credential === null ? null : { credential, expiresAtMs: null };
    }
  }
}

function refuseShort(
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
      `${days < 2 ? `${Math.round(days * 24)} hours` : `${Math.floor(days)} days`}${request.kind === "token" ? `, though ${request.tokenDays} days were asked for: the server caps tokens` : ""}`,
    expected: `at least ${LEAST_TOKEN_DAYS} days, for an audit that runs by itself`,
    todo:
      "Ways that work: --eks ARN --role ARN (IAM on Amazon EKS), --credential with a client " +
      "certificate, --days never (a token that ends when its Secret is deleted; its age is " +
      "watched), or auditing from inside the cluster: --in-cluster IMAGE. For audits by hand " +
      "alone: --days 1",
  });
}

/**
 * What earlier registrations under this name made and this one doesn't want. Never fails what is
 * done already.
 */
async function tidy(
  request: RegisterRequest,
  ports: RegisterPorts,
  objects: readonly AccessObject[],
  before: StoredRegistration | null,
): Promise<void> {
  const { name } = request;
  try {
    if (request.apply) {
      const wanted = new Set(objects.map((object) => keyOf(nameOf(object))));
      const found = await ports.registrar.find(registrationSelector(name));
      // The newest two tokens of each bearer stay: an audit may be using the one before.
      const tokens = found
        .filter(({ kind }) => kind === "Secret")
        .map(({ name: secret }) => secret);
      const kept = new Set(
        request.kind === "token-secret"
          ? bearersOf(request.plan).flatMap((bearer) =>
              tokens
                .filter((secret) => secret.startsWith(`${accessName(name, bearer)}-`))
                .toSorted()
                .slice(-2),
            )
          : [],
      );
      for (const object of found)
        if (object.kind === "Secret" ? !kept.has(object.name) : !wanted.has(keyOf(object)))
          await ports.registrar.remove(object);
    }
    await ports.registrations.tidy(name, before);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    ports.note(
      `cluster ${name} is registered; what an earlier registration left could not be taken ` +
        `away: ${error.message}`,
    );
  }
}

/** Takes back what a registration that failed had made. */
async function undo(
  name: string,
  created: readonly ObjectName[],
  ports: RegisterPorts,
): Promise<void> {
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      ports.note(`cluster ${name}: ${what} was made and could not be taken back: ${error.message}`);
    }
  };
  // Somebody else registered the name meanwhile, and rests on the same objects.
  if ((await ports.registrations.read(name)) !== null) return;
  // A namespace stays: it is empty, and deleting one takes whatever somebody else put there
  // meanwhile.
  for (const object of created.filter(({ kind }) => kind !== "Namespace").toReversed())
    await attempt(`${object.kind} ${object.name}`, () => ports.registrar.remove(object));
}

function nameOf(object: AccessObject): ObjectName {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: object.metadata.namespace ?? null,
    name: object.metadata.name,
  };
}

function keyOf({ kind, namespace, name }: ObjectName): string {
  return `${kind}/${namespace ?? ""}/${name}`;
}

/** The access entries by which EKS lets the roles in. */
function commandsOf({ kind, eks, name, plan }: RegisterRequest): string[] {
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
