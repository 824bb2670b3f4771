/**
 * Registers a cluster: applies the RBAC with consent, makes a reading credential and, apart from
 * it, a restoring one, asks the server what each may really do, and writes the registration last,
 * so that nothing is ever half registered. Run again it rotates the credentials and repairs the
 * RBAC; the ones before stay valid until the next time, for an audit that is under way.
 *
 * Refused: a name that another cluster has, unless it was rebuilt; a credential that may do too
 * much, or too little to be of use; a token that ends too soon to be renewed in time.
 */
import { accessObjects, bearersOf, kubeconfigText } from "../rbac/manifest.ts";
import type { GrantedRules } from "../rbac/excess.ts";
import type { Bearer } from "../rbac/table.ts";
import type { StateDocument } from "../state/document.ts";
import { formatMs, formatMsOrNull } from "../certificate/time.ts";
import { parseRegistration } from "../config/parse.ts";
import { registrationText } from "../config/registered.ts";
import { CHANGED_MEANWHILE, CertkeepError } from "../error.ts";
import type { ObjectName } from "../ports/cluster.ts";
import type { NextRegistration, StoredRegistration } from "../ports/registry.ts";
import type { CheckedCredential, RegisterResult } from "../report/clusters.ts";
import { identityKey } from "../state/identity.ts";
import { checkCredential, exposuresOf, rulesOfEverybody } from "./register/check.ts";
import { nameOf, tidy, undo } from "./register/remove.ts";
import { examineCluster, missingNamespaces, type SeenCluster } from "./register/cluster.ts";
import type { OpenedCredential, RegisterPorts, RegisterRequest } from "./register/context.ts";
import {
  accessEntryCommands,
  firstLook,
  makeCredential,
  refuseIncomplete,
  refuseShort,
  sameUid,
  subjectOf,
} from "./register/credential.ts";
import { endEarlier, pinByPerson } from "./pin.ts";

export async function runRegister(
  request: RegisterRequest,
  ports: RegisterPorts,
): Promise<RegisterResult> {
  const { name, plan } = request;
  refuseIncomplete(request, ports);
  const cluster = await examineCluster(request, ports);
  const subject = await subjectOf(request, ports);
  const objects =
    request.apply && subject !== null
      ? [...(await missingNamespaces(request, ports)), ...accessObjects(name, plan, subject)]
      : [];
  const before = await ports.registrations.read(name);
  const { server } = ports.place;
  const { version, identity, isSuccessor, earlier } = cluster;
  if (!(await ports.consent({ server, version, objects, rotates: before !== null })))
    throw new CertkeepError("usage", {
      where: `cluster ${name}`,
      found: "cancelled",
      todo: "Nothing was changed",
    });
  const run: Run = { cluster, before, created: [], opened: [], isWritten: false };
  try {
    for (const object of objects)
      if ((await ports.registrar.apply(object)) === "created") run.created.push(nameOf(object));
    const credentials = await makeCredentials(request, ports, run);
    const uid = uidOf(credentials, name, ports);
    const exposures = await exposuresOf(credentials.read.reader, plan);
    await writeRegistration(request, credentials, run, ports);
    run.isWritten = true;
    await removeConfigured(name, ports);
    const target = {
      ...{ cluster: name, title: name, server, successor: isSuccessor, earlier },
      registered: registeredOf(request, credentials, ports.clock.nowMs()),
    };
    await pinByPerson(ports.states, target, { ...identity, uid }, ports.clock.nowMs());
    if (earlier !== null) await endEarlier(ports.states, earlier, ports.clock.nowMs());
    await tidy(request, ports, objects, before);
    return {
      name,
      server,
      version,
      identity: identityKey({ ...identity, uid }, server),
      kind: request.kind,
      rotated: before !== null,
      created: run.created.length,
      credentials: credentials.made.map(({ checked }) => checked),
      exposures,
      commands: accessEntryCommands(request),
    };
  } catch (error) {
    // Once the registration is written it counts: what failed after it is repaired by running this
    // again.
    if (!run.isWritten) await undo(name, before === null ? run.created : [], ports);
    throw error;
  } finally {
    await Promise.all(run.opened.map((one) => one.close()));
  }
}

/** Two clusters of one name can't be used: the registration takes the entry's place. */
async function removeConfigured(name: string, { configured, note }: RegisterPorts): Promise<void> {
  if (configured === null) return;
  if (await configured.remove())
    note(`cluster ${name}: this registration replaces its entry in ${configured.file}`);
  else
    throw new CertkeepError("state_conflict", {
      where: configured.file,
      found: CHANGED_MEANWHILE,
      todo: `Take the entry ${name} out of it: the cluster is registered now`,
    });
}

interface Run {
  readonly cluster: SeenCluster;
  readonly before: StoredRegistration | null;
  readonly created: ObjectName[];
  readonly opened: OpenedCredential[];
  isWritten: boolean;
}

interface MadeCredential {
  readonly bearer: Bearer;
  /** Of a kubeconfig; it holds the credential. */
  readonly text: string;
  readonly checked: CheckedCredential;
  /** Of kube-system, as this credential sees it; `null` without permission to read it. */
  readonly uid: string | null;
}

interface Credentials {
  readonly everybody: readonly GrantedRules[];
  readonly made: readonly MadeCredential[];
  readonly read: OpenedCredential;
}

async function makeCredentials(
  request: RegisterRequest,
  ports: RegisterPorts,
  run: Run,
): Promise<Credentials> {
  const { name, plan } = request;
  const everybody = await rulesOfEverybody(ports.registrar, plan);
  const made: MadeCredential[] = [];
  for (const bearer of bearersOf(plan)) {
    const credential = await makeCredential(request, bearer, ports, run.created);
    if (credential === null) continue;
    const text = kubeconfigText(name, ports.place, credential.credential);
    const opened = await ports.open(bearer, text, request.eks);
    run.opened.push(opened);
    const early = await firstLook(opened, request);
    const checked = await checkCredential(opened, plan, bearer, {
      name,
      fresh: request.apply,
      allowBroad: request.allowBroad,
      everybody,
      timer: ports.timer,
    });
    const seen = early ?? (await opened.reader.identity());
    const uid = sameUid(run.cluster.identity, seen, name);
    const expiresAtMs = credential.expiresAtMs ?? checked.expiresAtMs;
    refuseShort(request, bearer, expiresAtMs, ports.clock.nowMs());
    made.push({ bearer, text, checked: { ...checked, expiresAtMs }, uid });
  }
  const [read] = run.opened;
  if (read === undefined) throw new Error("a registration has a reading credential");
  return { everybody, made, read };
}

function registeredOf(
  { kind }: RegisterRequest,
  { everybody, made }: Credentials,
  nowMs: number,
): StateDocument["registered"] {
  const restoring = made.find(({ bearer }) => bearer === "restore");
  return {
    everybody: everybody.map(({ namespace, rules }) => ({ namespace, rules: [...rules] })),
    restore:
      restoring === undefined
        ? null
        : { kind, endsAt: formatMsOrNull(restoring.checked.expiresAtMs), madeAt: formatMs(nowMs) },
  };
}

/** Whatever one credential can't see would be missing at each of its uses. */
function uidOf({ made }: Credentials, name: string, ports: RegisterPorts): string | null {
  const uids = new Set(made.map(({ uid }) => uid));
  const uid = uids.has(null) ? null : ([...uids][0] ?? null);
  if (uid === null)
    ports.note(
      `cluster ${name}: its credentials have no permission to read the namespace ` +
        "kube-system, so its CA and its address alone tell which cluster it is",
    );
  return uid;
}

async function writeRegistration(
  { name, kind, plan, eks }: RegisterRequest,
  { made }: Credentials,
  { before }: Run,
  ports: RegisterPorts,
): Promise<void> {
  const where = ports.registrations.where(name);
  const nowMs = ports.clock.nowMs();
  const access = {
    kind,
    parts: plan.parts,
    since: formatMs(nowMs - (nowMs % 1000)),
    broad: made.some(({ checked }) => checked.excess.length > 0),
  };
  const settings = before?.text ?? ports.configured?.settings ?? "";
  const earlier = settings === "" ? null : settings;
  const text = (names: Parameters<NextRegistration["text"]>[0]): string => {
    const rendered = registrationText(earlier, {
      kubeconfig: names.read,
      restoreKubeconfig: names.restore,
      plan,
      eks,
      access,
      schema: ports.schema,
    });
    if (rendered !== null && parseRegistration(rendered, "").ok) return rendered;
    throw new CertkeepError("config_invalid", {
      where,
      found: "the registration can't be completed as it is written",
      todo: "Write one setting a line, or remove the registration, and run this again",
    });
  };
  const textOf = (bearer: Bearer): string | null =>
    made.find((one) => one.bearer === bearer)?.text ?? null;
  const credentials = { read: textOf("read") ?? "", restore: textOf("restore") };
  if ((await ports.registrations.write(name, before, { credentials, text })) === "written") return;
  throw new CertkeepError("state_conflict", {
    where,
    found: before === null ? "another process made this registration" : CHANGED_MEANWHILE,
    todo: "It was left as it is. Check it, then run this again",
  });
}
