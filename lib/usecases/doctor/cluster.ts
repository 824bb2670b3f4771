/**
 * One cluster as the doctor sees it: reachable, the same as registered, and its credentials good
 * for what they should be and no more.
 */
import { excessOf } from "../../rbac/excess.ts";
import type { Observed } from "../../report/phrases/doctor.ts";
import { questionsOf, type AccessPlan, type Question } from "../../rbac/rules.ts";
import { wantsRestore, type Bearer, type Part } from "../../rbac/table.ts";
import { formatMsOrNull, parseMs } from "../../certificate/time.ts";
import { isCertkeepError } from "../../error.ts";
import { credentialLevel } from "../../finding/credential.ts";
import { STALE_MS } from "../../finding/reach.ts";
import { type Action, pinAction, registerAgain } from "../../finding/action.ts";
import type { StateStore } from "../../ports/stores.ts";
import type { StateDocument } from "../../state/document.ts";
import { notPinned, type ClusterIdentity, type NotPinned } from "../../state/identity.ts";
import { grantedRules, missingOf } from "../register/check.ts";
import { findState, loadState } from "../states.ts";
import type { DoctorPorts, ExaminedCluster, ExaminedConnection } from "./context.ts";
import { failed, line, type Line } from "./line.ts";

const CLOCK_WARN_MS = 30_000;
/** Beyond this a token that was just made, or a signed request, may be refused. */
const CLOCK_FAIL_MS = 300_000;
const AUDIT_FAIL_MS = 7 * 86_400_000;
const DEFAULT_PARTS: readonly Part[] = ["secrets", "parents", "diagnosis"];

/** What a cluster's credentials should be able to do. */
function planOfEntry(cluster: ExaminedCluster): AccessPlan {
  const byName = cluster.namespaces !== null && cluster.namespaces.length === 0;
  const parts =
    cluster.access?.parts ??
    (byName
      ? ["named" as const]
      : [...DEFAULT_PARTS, ...(cluster.secrets.length > 0 ? ["named" as const] : [])]);
  const patterns = cluster.namespaces?.some((name) => name.includes("*")) === true;
  return { parts, namespaces: patterns ? null : cluster.namespaces, secrets: cluster.secrets };
}

export interface Examined {
  readonly lines: Line[];
  readonly identity: ClusterIdentity | null;
}

export async function examineCluster(
  cluster: ExaminedCluster,
  ports: DoctorPorts,
): Promise<Examined> {
  const { name } = cluster;
  const lines: Line[] = [];
  let state: StateDocument | null = null;
  try {
    if (cluster.named) state = (await loadState(ports.states, name))?.state ?? null;
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    lines.push(failed("state", error, { cluster: name }));
  }
  if (cluster.sealedFor.length === 0)
    lines.push(
      line(
        "recipients",
        "fail",
        { seen: "no_recipients" },
        {
          cluster: name,
          action: { kind: "init" },
        },
      ),
    );
  const again = repairOf(cluster);
  const plan = planOfEntry(cluster);
  let identity: ClusterIdentity | null = null;
  let connection: ExaminedConnection | null = null;
  try {
    connection = await ports.connect(cluster, "read");
    identity = await examineConnection(cluster, connection, state, plan, ports, lines);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    const refused = error.code === "cluster_unauthorized";
    lines.push(
      failed(refused ? "credential" : "reach", error, {
        cluster: name,
        action: refused ? again : null,
      }),
    );
  } finally {
    await connection?.close();
  }
  if (wantsRestore(plan.parts)) await examineRestoring(cluster, plan, state, ports, lines);
  if (cluster.named) lines.push(auditLine(cluster, state, ports.clock.nowMs()));
  return { lines, identity };
}

/** What repairs a registration. */
function repairOf({
  name,
  registered,
}: Pick<ExaminedCluster, "name" | "registered">): Action | null {
  return registered ? registerAgain(name) : null;
}

async function examineConnection(
  cluster: ExaminedCluster,
  connection: ExaminedConnection,
  state: StateDocument | null,
  plan: AccessPlan,
  ports: DoctorPorts,
  lines: Line[],
): Promise<ClusterIdentity> {
  const { name, registered } = cluster;
  const again = repairOf(cluster);
  const put = (
    id: string,
    level: Line["level"],
    observed: Observed,
    action: Action | null = null,
  ): void => {
    lines.push(line(id, level, observed, { cluster: name, action }));
  };
  if (connection.insecure) put("tls", "fail", { seen: "tls_unchecked" }, again);
  if (/\.ts\.net(:\d+)?$/.test(connection.server))
    put("address", "warn", { seen: "tailnet_address", server: connection.server }, again);
  const facts = await connection.self.facts();
  const identity = await connection.reader.identity();
  put("reach", "pass", { seen: "answers", server: connection.server, version: facts.version });
  const minor = Number(/^v1\.(\d+)/.exec(facts.version ?? "")?.[1] ?? Number.NaN);
  if (minor < 22) put("version", "warn", { seen: "old_version", version: facts.version });
  if (facts.clockOffsetMs !== null) {
    const off = Math.abs(facts.clockOffsetMs);
    put(
      "clock",
      off >= CLOCK_FAIL_MS ? "fail" : off >= CLOCK_WARN_MS ? "warn" : "pass",
      { seen: "clock", offMs: off },
      { kind: "clock" },
    );
  }
  credentialLine(cluster, connection, ports.clock.nowMs(), lines);
  for (const group of await connection.self.deadGroups())
    put("api", "warn", { seen: "dead_api", group }, { kind: "apiServices" });
  const missing = await permissionLines(cluster, connection, plan, "read", lines);
  const recorded = cluster.named ? state : await stateOfContext(ports.states, connection, identity);
  const differs = recorded === null ? null : notPinned(recorded, identity);
  if (!isNamedBy(missing, differs)) put(...identityLine(cluster, identity, recorded, differs));
  if (registered) {
    const listed = plan.parts.includes("secrets");
    put(
      "discovery",
      listed ? "pass" : "warn",
      { seen: listed ? "lists_secrets" : "lists_nothing" },
      { kind: "nameSecret", cluster: name },
    );
  } else put("registered", "warn", { seen: "not_registered" }, registerAgain(name));
  return identity;
}

/** The state of a context that no configuration names. */
async function stateOfContext(
  states: StateStore,
  { server }: ExaminedConnection,
  seen: ClusterIdentity,
): Promise<StateDocument | null> {
  return (await loadState(states, await findState(states, seen, server)))?.state ?? null;
}

/**
 * The uid of kube-system can't be read, and the permission for it is missing: that is said once.
 */
function isNamedBy(missing: readonly Question[], differs: NotPinned | null): boolean {
  return differs?.kind === "uid" && missing.some(({ capability }) => capability.id === "identity");
}

function identityLine(
  { name, registered }: ExaminedCluster,
  seen: ClusterIdentity,
  state: StateDocument | null,
  differs: NotPinned | null,
): ["identity", Line["level"], Observed, Action | null] {
  if (differs !== null) {
    return [
      "identity",
      "fail",
      { seen: "not_pinned", differs },
      pinAction(name, registered, differs.kind),
    ];
  }
  if (seen.uid === null) return ["identity", "warn", { seen: "uid_unread" }, registerAgain(name)];
  return [
    "identity",
    "pass",
    { seen: state?.identity == null ? "not_recorded" : "recorded" },
    null,
  ];
}

function credentialLine(
  cluster: ExaminedCluster,
  connection: ExaminedConnection,
  nowMs: number,
  lines: Line[],
): void {
  if (!cluster.registered) return;
  const endsAt = formatMsOrNull(connection.expiresAtMs);
  const level = credentialLevel(
    { kind: cluster.access?.kind ?? "kubeconfig", endsAt, madeAt: cluster.access?.since ?? null },
    nowMs,
  );
  const observed: Observed =
    endsAt !== null
      ? { seen: "ends", endsAt, inMs: parseMs(endsAt) - nowMs }
      : level === "fine"
        ? { seen: "no_end" }
        : { seen: "endless_token", since: cluster.access?.since ?? null };
  lines.push(
    line(
      "credential",
      level === "fine" ? "pass" : level === "warning" ? "warn" : "fail",
      observed,
      {
        cluster: cluster.name,
        action: repairOf(cluster),
      },
    ),
  );
}

async function permissionLines(
  cluster: ExaminedCluster,
  connection: ExaminedConnection,
  plan: AccessPlan,
  bearer: Bearer,
  lines: Line[],
): Promise<readonly Question[]> {
  const { name } = cluster;
  const again = repairOf(cluster);
  const questions = questionsOf(plan, bearer);
  const missing = await missingOf(connection.self, questions);
  for (const question of missing)
    lines.push(
      line(
        "permission",
        levelOf(question, cluster),
        { seen: "not_granted", bearer, question },
        { cluster: name, action: again },
      ),
    );
  if (missing.length === 0)
    lines.push(
      line(
        "permission",
        "pass",
        { seen: "granted", bearer, count: questions.length },
        { cluster: name },
      ),
    );
  if (!cluster.registered) return missing;
  const granted = await grantedRules(connection.self, plan);
  // One credential for both has the rights of both.
  const bearers: Bearer[] =
    bearer === "read" &&
    wantsRestore(plan.parts) &&
    cluster.restoreKubeconfig === null &&
    cluster.eks?.restoreRole == null
      ? ["read", "restore"]
      : [bearer];
  const excess = excessOf(plan, bearers, granted, []);
  const isAccepted = cluster.access?.broad === true;
  for (const one of excess) {
    lines.push(
      line(
        "excess",
        one.dangerous && !isAccepted ? "fail" : "warn",
        { seen: "excess", bearer, excess: one, isAccepted },
        { cluster: name, action: again },
      ),
    );
  }
  if (excess.length === 0)
    lines.push(
      line(
        "excess",
        "pass",
        { seen: "no_excess", bearer, isIncomplete: granted.some(({ incomplete }) => incomplete) },
        { cluster: name },
      ),
    );
  return missing;
}

/** Without what it was registered for nothing works; the rest leaves something unknown. */
function levelOf({ capability }: Question, { registered }: ExaminedCluster): Line["level"] {
  const essential =
    ["secrets", "named", "restore"].includes(capability.part) || capability.id === "identity";
  return registered || essential ? "fail" : "warn";
}

async function examineRestoring(
  cluster: ExaminedCluster,
  plan: AccessPlan,
  state: StateDocument | null,
  ports: DoctorPorts,
  lines: Line[],
): Promise<void> {
  const { name } = cluster;
  const apart = cluster.restoreKubeconfig !== null || cluster.eks?.restoreRole != null;
  if (!apart) {
    lines.push(
      line(
        "restore-credential",
        "warn",
        { seen: "one_credential" },
        { cluster: name, action: repairOf(cluster) },
      ),
    );
    return;
  }
  let connection: ExaminedConnection | null = null;
  try {
    connection = await ports.connect(cluster, "restore");
    const seen = await connection.reader.identity();
    const missing = await permissionLines(cluster, connection, plan, "restore", lines);
    const differs = state === null ? null : notPinned(state, seen);
    lines.push(
      differs === null || isNamedBy(missing, differs)
        ? line("restore-credential", "pass", { seen: "restore_accepted" }, { cluster: name })
        : line(
            "restore-credential",
            "fail",
            { seen: "restore_not_pinned", differs },
            { cluster: name, action: repairOf(cluster) },
          ),
    );
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    lines.push(failed("restore-credential", error, { cluster: name, action: repairOf(cluster) }));
  } finally {
    await connection?.close();
  }
}

function auditLine({ name }: ExaminedCluster, state: StateDocument | null, nowMs: number): Line {
  const rest = { cluster: name, action: { kind: "audit", cluster: name } } as const;
  const audit = state?.audit ?? null;
  if (audit === null) return line("audit", "warn", { seen: "never_audited" }, rest);
  const age = nowMs - parseMs(audit.finishedAt);
  const level = age > AUDIT_FAIL_MS ? "fail" : age > STALE_MS || !audit.complete ? "warn" : "pass";
  return line("audit", level, { seen: "audited", agoMs: age, isComplete: audit.complete }, rest);
}
