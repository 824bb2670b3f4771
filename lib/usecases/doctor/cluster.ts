/** One cluster as the doctor sees it: reachable, the same as registered, and its credentials good for what they should be and no more. */
import { excessOf } from "../../rbac/excess.ts";
import { excessText, questionText, withoutText } from "../../report/phrases/permissions.ts";
import { questionsOf, type AccessPlan, type Question } from "../../rbac/rules.ts";
import { wantsRestore, type Bearer, type Part } from "../../rbac/table.ts";
import { formatMsOrNull, parseMs } from "../../certificate/time.ts";
import { isCertkeepError } from "../../error.ts";
import { commandLine, literal } from "../../report/shell.ts";
import { credentialLevel } from "../../finding/credential.ts";
import { STALE_MS } from "../../finding/reach.ts";
import { mismatchText, pinCommand } from "../../report/pinning.ts";
import { span } from "../../report/text.ts";
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
      line("recipients", "fail", "it has no recipients: nothing of it is backed up", {
        cluster: name,
        command: "certkeep init",
      }),
    );
  const again = repairCommand(cluster);
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
        command: refused ? again : null,
      }),
    );
  } finally {
    await connection?.close();
  }
  if (wantsRestore(plan.parts)) await examineRestoring(cluster, plan, state, ports, lines);
  if (cluster.named) lines.push(auditLine(cluster, state, ports.clock.nowMs()));
  return { lines, identity };
}

/** The command that repairs a registration. */
function repairCommand({
  name,
  registered,
}: Pick<ExaminedCluster, "name" | "registered">): string | null {
  return registered ? commandLine(literal("certkeep clusters add"), name) : null;
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
  const again = repairCommand(cluster);
  const put = (
    id: string,
    level: Line["level"],
    text: string,
    command: string | null = null,
  ): void => {
    lines.push(line(id, level, text, { cluster: name, command }));
  };
  if (connection.insecure)
    put(
      "tls",
      "fail",
      "insecure-skip-tls-verify: whoever answers at the address is believed, and given the credential",
      again,
    );
  if (/\.ts\.net(:\d+)?$/.test(connection.server))
    put(
      "address",
      "warn",
      `the address ${connection.server} ends in .ts.net: if its own certificate is lost, the cluster can't be reached to restore it. Register the API server's direct address`,
      again,
    );
  const facts = await connection.self.facts();
  const identity = await connection.reader.identity();
  put(
    "reach",
    "pass",
    `${connection.server} answers${facts.version === null ? "" : ` (${facts.version})`}`,
  );
  const minor = Number(/^v1\.(\d+)/.exec(facts.version ?? "")?.[1] ?? Number.NaN);
  if (minor < 22)
    put(
      "version",
      "warn",
      `its version ${facts.version} is older than any that this certkeep was tested with (1.22 to 1.34)`,
    );
  if (facts.clockOffsetMs !== null) {
    const off = Math.abs(facts.clockOffsetMs);
    const text = `the clocks of this machine and the API server differ by ${off < 2_000 ? "less than 2 s" : off < 120_000 ? `${Math.round(off / 1000)} s` : span(off)}`;
    put(
      "clock",
      off >= CLOCK_FAIL_MS ? "fail" : off >= CLOCK_WARN_MS ? "warn" : "pass",
      text,
      "timedatectl status",
    );
  }
  credentialLine(cluster, connection, ports.clock.nowMs(), lines);
  for (const group of await connection.self.deadGroups())
    put(
      "api",
      "warn",
      `the API group ${group} doesn't answer (its server is down); what it serves isn't known`,
      "kubectl get apiservices",
    );
  const missing = await permissionLines(cluster, connection, plan, "read", lines);
  const recorded = cluster.named ? state : await stateOfContext(ports.states, connection, identity);
  const differs = recorded === null ? null : notPinned(recorded, identity);
  if (!isNamedBy(missing, differs)) put(...identityLine(cluster, identity, recorded, differs));
  if (registered) {
    const listed = plan.parts.includes("secrets");
    put(
      "discovery",
      listed ? "pass" : "warn",
      listed
        ? "new certificates are found by listing Secrets"
        : "nothing is listed: only the named Secrets are audited, and a new certificate has to be named",
      commandLine(
        literal("certkeep clusters add"),
        name,
        literal("--parts named --secret"),
        "NAMESPACE/NAME",
      ),
    );
  } else
    put(
      "registered",
      "warn",
      "it isn't registered: your own credential is used, which may do more than an audit needs",
      commandLine(literal("certkeep clusters add"), name),
    );
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

/** The uid of kube-system can't be read, and the permission for it is missing: that is said once. */
function isNamedBy(missing: readonly Question[], differs: NotPinned | null): boolean {
  return differs?.kind === "uid" && missing.some(({ capability }) => capability.id === "identity");
}

function identityLine(
  { name, registered }: ExaminedCluster,
  seen: ClusterIdentity,
  state: StateDocument | null,
  differs: NotPinned | null,
): ["identity", Line["level"], string, string | null] {
  if (differs !== null) {
    const { found, expected } = mismatchText(differs);
    return [
      "identity",
      "fail",
      `${found}; expected ${expected}. Nothing is audited or restored there until a person decides`,
      pinCommand({ called: name, registered }, differs.kind),
    ];
  }
  if (seen.uid === null)
    return [
      "identity",
      "warn",
      "the namespace kube-system may not be read, so its CA and its address alone tell which cluster it is",
      commandLine(literal("certkeep clusters add"), name),
    ];
  return [
    "identity",
    "pass",
    state?.identity == null
      ? "not recorded yet: the first audit does it"
      : "the cluster that is recorded",
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
  const text =
    endsAt === null
      ? level === "fine"
        ? "the reading credential has no end by its own words"
        : `the reading credential is a token without an end, made at ${cluster.access?.since ?? "an unknown time"}`
      : `the reading credential ends at ${endsAt}, in ${span(parseMs(endsAt) - nowMs)}`;
  lines.push(
    line("credential", level === "fine" ? "pass" : level === "warning" ? "warn" : "fail", text, {
      cluster: cluster.name,
      command: repairCommand(cluster),
    }),
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
  const again = repairCommand(cluster);
  const who = bearer === "read" ? "reading" : "restoring";
  const questions = questionsOf(plan, bearer);
  const missing = await missingOf(connection.self, questions);
  for (const question of missing)
    lines.push(
      line(
        "permission",
        levelOf(question, cluster),
        `the ${who} credential may not ${questionText(question)}; without it: ${withoutText(question.capability)}`,
        { cluster: name, command: again },
      ),
    );
  if (missing.length === 0)
    lines.push(
      line(
        "permission",
        "pass",
        `the ${who} credential may do all ${questions.length} things that it should`,
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
  for (const one of excess) {
    lines.push(
      line(
        "excess",
        one.dangerous && cluster.access?.broad !== true ? "fail" : "warn",
        `the ${who} credential can do more than it should: ${excessText(one)}${cluster.access?.broad === true ? " (accepted when it was registered)" : ""}`,
        { cluster: name, command: again },
      ),
    );
  }
  if (excess.length === 0)
    lines.push(
      line(
        "excess",
        "pass",
        `the ${who} credential can do nothing beyond that${granted.some(({ incomplete }) => incomplete) ? ", as far as the server can tell" : ""}`,
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
        "restoring uses the reading credential: an audit that is broken into could write",
        { cluster: name, command: repairCommand(cluster) },
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
    const [level, text] =
      differs === null || isNamedBy(missing, differs)
        ? (["pass", "the restoring credential is accepted"] as const)
        : (["fail", `a restore would be refused: ${mismatchText(differs).found}`] as const);
    lines.push(
      line("restore-credential", level, text, {
        cluster: name,
        command: level === "pass" ? null : repairCommand(cluster),
      }),
    );
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    lines.push(
      failed("restore-credential", error, { cluster: name, command: repairCommand(cluster) }),
    );
  } finally {
    await connection?.close();
  }
}

function auditLine({ name }: ExaminedCluster, state: StateDocument | null, nowMs: number): Line {
  const command = commandLine(literal("certkeep audit"), name);
  const audit = state?.audit ?? null;
  if (audit === null)
    return line("audit", "warn", "it was never audited", { cluster: name, command });
  const age = nowMs - parseMs(audit.finishedAt);
  const level = age > AUDIT_FAIL_MS ? "fail" : age > STALE_MS || !audit.complete ? "warn" : "pass";
  return line(
    "audit",
    level,
    `the last audit was ${span(age)} ago${audit.complete ? "" : " and incomplete"}`,
    { cluster: name, command },
  );
}
