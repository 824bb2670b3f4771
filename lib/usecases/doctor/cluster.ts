/**
 * One cluster as the doctor sees it: reachable, the same as registered, and its credentials good
 * for what they should be and no more.
 */
import { formatMsOrNull, parseMs } from "../../certificate/time.ts";
import { clusterNameFor } from "../../config/settings.ts";
import { isCertkeepError, type CertkeepError } from "../../error.ts";
import { type Action, allowRestores, confirmAction, registerAgain } from "../../finding/action.ts";
import { credentialLevel } from "../../finding/credential.ts";
import { STALE_MS } from "../../finding/reach.ts";
import { excessOf, parseRules } from "../../rbac/excess.ts";
import {
  namespaceQuestions,
  questionsOf,
  type AccessPlan,
  type Question,
} from "../../rbac/rules.ts";
import { wantsRestore, type Bearer } from "../../rbac/table.ts";
import type { DoctorLine, Level } from "../../report/doctor.ts";
import type { Observed } from "../../report/phrases/doctor.ts";
import type { StateDocument } from "../../state/document.ts";
import { notPinned, type ClusterIdentity, type NotPinned } from "../../state/identity.ts";
import { grantedRules, missingOf } from "../register/check.ts";
import { findState, nameOf, readState, stateName } from "../states.ts";
import {
  askAgain,
  type DoctorPorts,
  type ExaminedCluster,
  type ExaminedConnection,
  hasRestoring,
  isEssential,
  planOfEntry,
} from "./context.ts";
import { failed, line } from "./line.ts";

const CLOCK_WARN_MS = 30_000;
/** Beyond this a token that was just made, or a signed request, may be refused. */
const CLOCK_FAIL_MS = 300_000;
const AUDIT_FAIL_MS = 7 * 86_400_000;
export interface Examined {
  readonly name: string;
  readonly lines: readonly DoctorLine[];
  /** `null`: it wasn't reached. */
  readonly identity: ClusterIdentity | null;
}

export async function examineCluster(
  cluster: ExaminedCluster,
  ports: DoctorPorts,
): Promise<Examined> {
  const check = new ClusterCheck(cluster, ports);
  const identity = await check.run();
  return { name: cluster.name, lines: check.lines, identity };
}

class ClusterCheck {
  readonly lines: DoctorLine[] = [];
  readonly #cluster: ExaminedCluster;
  readonly #ports: DoctorPorts;
  readonly #plan: AccessPlan;
  /** What repairs a registration; `null` where there is none. */
  readonly #repair: Action | null;
  #state: StateDocument | null = null;

  constructor(cluster: ExaminedCluster, ports: DoctorPorts) {
    this.#cluster = cluster;
    this.#ports = ports;
    this.#plan = planOfEntry(cluster);
    this.#repair = cluster.registered
      ? registerAgain(cluster.name, cluster.access?.kind ?? null)
      : null;
  }

  #put(id: string, level: Level, observed: Observed, action: Action | null = null): void {
    this.lines.push(line(id, level, observed, { cluster: this.#cluster.name, action }));
  }

  #fail(id: string, error: CertkeepError, action: Action | null = null): void {
    this.lines.push(failed(id, error, { cluster: this.#cluster.name, action }));
  }

  async run(): Promise<ClusterIdentity | null> {
    const { named, name, sealedFor } = this.#cluster;
    try {
      if (named) this.#state = await readState(this.#ports.states, name);
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      const action = error.code === "state_damaged" ? this.#moveState(error) : null;
      this.#fail("state", error, action);
    }
    const isOwn = this.#cluster.recipients !== null;
    if (sealedFor.length === 0)
      this.#put(
        "recipients",
        "fail",
        { seen: "no_recipients", isOwn },
        isOwn ? null : { kind: "init" },
      );
    const identity = await this.#checkReading();
    if (wantsRestore(this.#plan.parts)) await this.#checkRestoring();
    if (named) this.#checkAudit();
    return identity;
  }

  /** The damaged revision is taken away, else all of the document. */
  #moveState({ parts }: CertkeepError): Action {
    const { url } = this.#ports.states;
    const name = stateName(this.#cluster.name);
    if (parts.where.endsWith(".json"))
      return { kind: "moveAway", path: parts.where, to: `${parts.where}.damaged` };
    if (url.startsWith("file:")) {
      const folder = decodeURI(url.slice("file://".length));
      return { kind: "moveAway", path: `${folder}/${name}`, to: `${folder}/.${name}.damaged` };
    }
    const path = `${url}/${name}.json`;
    return { kind: "moveAway", path, to: `${path}.damaged` };
  }

  async #checkReading(): Promise<ClusterIdentity | null> {
    let connection: ExaminedConnection | null = null;
    try {
      connection = await this.#ports.connect(this.#cluster, "read");
      return await this.#checkConnection(connection);
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      if (error.code === "cluster_unauthorized") this.#fail("credential", error, this.#repair);
      else this.#fail("reach", error, askAgain(error, this.#cluster, this.#repair));
      return null;
    } finally {
      await connection?.close();
    }
  }

  async #checkConnection(connection: ExaminedConnection): Promise<ClusterIdentity> {
    const { name, registered, named } = this.#cluster;
    const { server, self } = connection;
    if (connection.insecure) this.#put("tls", "fail", { seen: "tls_unchecked" }, this.#repair);
    if (/\.ts\.net(:\d+)?$/.test(server))
      this.#put("address", "warn", { seen: "tailnet_address", server }, this.#repair);
    const { version, clockOffsetMs } = await self.facts();
    const identity = await connection.reader.identity();
    this.#put("reach", "pass", { seen: "answers", server, version });
    if (Number(/^v1\.(\d+)/.exec(version ?? "")?.[1] ?? Number.NaN) < 22)
      this.#put("version", "warn", { seen: "old_version", version });
    if (clockOffsetMs !== null) this.#checkClock(Math.abs(clockOffsetMs));
    if (registered) this.#checkEnd(connection, "read");
    for (const group of await self.deadGroups())
      this.#put("api", "warn", { seen: "dead_api", group }, { kind: "apiServices" });
    const missing = await this.#checkPermissions(connection, "read");
    if (registered && !wantsRestore(this.#plan.parts)) await this.#checkReadOnly(connection);
    const { states } = this.#ports;
    const known = named ? name : await nameOf(states, identity);
    const key = known ?? (await findState(states, identity, server));
    const recorded = named ? this.#state : await readState(states, key);
    const differs = recorded === null ? null : notPinned(recorded, identity);
    if (!isNamedBy(missing, differs)) this.#checkIdentity(identity, recorded, differs);
    if (!named && known !== null)
      this.#put("registered", "pass", { seen: "leads_to", cluster: known });
    else if (!registered)
      this.#put("registered", "warn", { seen: "not_registered" }, this.#registerFirst());
    else if (this.#plan.parts.includes("secrets"))
      this.#put("discovery", "pass", { seen: "lists_secrets" });
    else
      this.#put(
        "discovery",
        "warn",
        { seen: "lists_nothing" },
        { kind: "nameSecret", cluster: name },
      );
    return identity;
  }

  #registerFirst(): Action {
    const { name, named } = this.#cluster;
    return named
      ? registerAgain(name)
      : { kind: "clustersAdd", cluster: clusterNameFor(name), rebuilt: false, context: name };
  }

  #checkClock(offMs: number): void {
    const level = offMs >= CLOCK_FAIL_MS ? "fail" : offMs >= CLOCK_WARN_MS ? "warn" : "pass";
    this.#put("clock", level, { seen: "clock", offMs }, { kind: "clock" });
  }

  #checkIdentity(
    seen: ClusterIdentity,
    state: StateDocument | null,
    differs: NotPinned | null,
  ): void {
    const { name, registered, named } = this.#cluster;
    if (differs !== null) {
      // Without a registration only a person can grant the permission, as the line says.
      const isForPerson = differs.kind === "uid" && !registered;
      const confirm = named ? confirmAction(name, registered, differs.kind) : this.#registerFirst();
      this.#put("identity", "fail", { seen: "not_pinned", differs }, isForPerson ? null : confirm);
    } else if (seen.uid === null)
      this.#put("identity", "warn", { seen: "uid_unread" }, this.#repair);
    else
      this.#put("identity", "pass", {
        seen: state?.identity == null ? "not_recorded" : "recorded",
      });
  }

  #checkEnd({ expiresAtMs }: ExaminedConnection, bearer: Bearer): void {
    const { access } = this.#cluster;
    const nowMs = this.#ports.clock.nowMs();
    const endsAt = formatMsOrNull(expiresAtMs);
    const since = access?.since ?? null;
    const level = credentialLevel(
      { kind: access?.kind ?? "kubeconfig", endsAt, madeAt: since },
      nowMs,
    );
    const observed: Observed =
      endsAt !== null
        ? { seen: "ends", bearer, endsAt, inMs: parseMs(endsAt) - nowMs }
        : level === "fine"
          ? { seen: "no_end", bearer }
          : { seen: "endless_token", bearer, since };
    const levels = { fine: "pass", warning: "warn", critical: "fail" } as const;
    const id = bearer === "read" ? "credential" : "restore-credential";
    this.#put(id, levels[level], observed, this.#repair);
  }

  async #checkPermissions(
    connection: ExaminedConnection,
    bearer: Bearer,
  ): Promise<readonly Question[]> {
    const questions = questionsOf(this.#plan, bearer);
    const missing = await missingOf(connection.self, questions);
    for (const question of missing)
      this.#put(
        "permission",
        this.#cluster.registered || isEssential(question) ? "fail" : "warn",
        { seen: "not_granted", bearer, question },
        this.#repair,
      );
    if (missing.length === 0)
      this.#put("permission", "pass", { seen: "granted", bearer, count: questions.length });
    if (this.#cluster.registered) {
      await this.#checkNamespaceRoles(connection, bearer, missing);
      await this.#checkExcess(connection, bearer);
    }
    return missing;
  }

  /** Earlier registrations granted the reading of a namespace by a Role inside it. */
  async #checkNamespaceRoles(
    { self }: ExaminedConnection,
    bearer: Bearer,
    missing: readonly Question[],
  ): Promise<void> {
    const asked = namespaceQuestions(this.#plan, bearer).filter(
      (one) =>
        !missing.some(({ capability, name }) => capability === one.capability && name === one.name),
    );
    const inside = await missingOf(
      self,
      asked.map((question) => ({ ...question, namespace: null })),
    );
    if (inside.length === 0) return;
    const namespaces = inside.flatMap(({ name }) => (name === null ? [] : [name]));
    this.#put("namespace", "warn", { seen: "namespace_roles", bearer, namespaces }, this.#repair);
  }

  async #checkExcess(connection: ExaminedConnection, bearer: Bearer): Promise<void> {
    const granted = await grantedRules(connection.self, this.#plan);
    // One credential for both has the permissions of both.
    const isShared = wantsRestore(this.#plan.parts) && !hasRestoring(this.#cluster);
    const bearers: Bearer[] = isShared ? ["read", "restore"] : [bearer];
    const isAccepted = this.#cluster.access?.broad === true;
    const { registered } = this.#state ?? {};
    const everybody = (registered?.everybody ?? []).map(({ namespace, rules }) => ({
      namespace,
      rules: parseRules(rules),
      incomplete: false,
    }));
    const found = excessOf(this.#plan, bearers, granted, everybody);
    // An earlier registration didn't record what everybody may do: that is found out first.
    const action = registered === undefined ? this.#repair : ({ kind: "bindings" } as const);
    for (const excess of found)
      this.#put(
        "excess",
        excess.dangerous && !isAccepted ? "fail" : "warn",
        { seen: "excess", bearer, excess, isAccepted },
        action,
      );
    const isIncomplete = granted.some(({ incomplete }) => incomplete);
    if (found.length === 0)
      this.#put("excess", "pass", { seen: "no_excess", bearer, isIncomplete });
  }

  /** Restores then use the reading credential, which a broad one may allow. */
  async #checkReadOnly({ self }: ExaminedConnection): Promise<void> {
    const { name, access } = this.#cluster;
    if (hasRestoring(this.#cluster)) return;
    const plan = { ...this.#plan, parts: ["restore"] } as const;
    if ((await missingOf(self, questionsOf(plan, "restore"))).length === 0) return;
    const action = allowRestores(name, access?.kind ?? null);
    this.#put("restore-credential", "warn", { seen: "no_restoring" }, action);
  }

  async #checkRestoring(): Promise<void> {
    if (!hasRestoring(this.#cluster)) {
      this.#put("restore-credential", "warn", { seen: "one_credential" }, this.#repair);
      return;
    }
    let connection: ExaminedConnection | null = null;
    try {
      connection = await this.#ports.connect(this.#cluster, "restore");
      const seen = await connection.reader.identity();
      this.#checkEnd(connection, "restore");
      const missing = await this.#checkPermissions(connection, "restore");
      const differs = this.#state === null ? null : notPinned(this.#state, seen);
      if (differs === null || isNamedBy(missing, differs))
        this.#put("restore-credential", "pass", { seen: "restore_accepted" });
      else
        this.#put(
          "restore-credential",
          "fail",
          { seen: "restore_not_pinned", differs },
          this.#repair,
        );
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      this.#fail("restore-credential", error, this.#repair);
    } finally {
      await connection?.close();
    }
  }

  #checkAudit(): void {
    const action = { kind: "audit", cluster: this.#cluster.name } as const;
    const audit = this.#state?.audit ?? null;
    if (audit === null) {
      this.#put("audit", "warn", { seen: "never_audited" }, action);
      return;
    }
    const agoMs = this.#ports.clock.nowMs() - parseMs(audit.finishedAt);
    const isComplete = audit.complete;
    const level =
      agoMs > AUDIT_FAIL_MS ? "fail" : agoMs > STALE_MS || !isComplete ? "warn" : "pass";
    this.#put("audit", level, { seen: "audited", agoMs, isComplete }, action);
  }
}

/** The uid of kube-system can't be read, and the permission for it is missing: one line says it. */
function isNamedBy(missing: readonly Question[], differs: NotPinned | null): boolean {
  return differs?.kind === "uid" && missing.some(({ capability }) => capability.id === "identity");
}
