/**
 * Says what isn't set up right, and how to mend it: configuration, identity, stores, clocks, and
 * each cluster. It changes nothing but a probe in each store, of which the copies' is taken away
 * again.
 *
 * Every look is by itself: what can't be looked at is a line that says so, and hides no other.
 */
import { parseMs } from "../certificate/time.ts";
import pLimit from "p-limit";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { registerAgain } from "../finding/action.ts";
import { SKEW_MS } from "../ratelimit/evidence.ts";
import { DRILL_NAME, parseDrill } from "./drill/record.ts";
import { DIGEST_NAME, parseDigest } from "../state/digest.ts";
import { sameCluster, type ClusterIdentity } from "../state/identity.ts";
import type { DoctorPorts } from "./doctor/context.ts";
import { cutInTime } from "./deadline.ts";
import { TEST_MESSAGE } from "../report/slack/blocks.ts";
import { examineCluster } from "./doctor/cluster.ts";
import { failed, line, type Line } from "./doctor/line.ts";

const CLUSTERS_AT_ONCE = 4;
/**
 * Where a month of one secret each (0.40 USD by AWS's price list) comes to more than a bucket is
 * ever likely to.
 */
const MANY_SECRETS = 100;
const PROBE_NAME = "doctor";
const DRILL_WARN_MS = 35 * 86_400_000;
const DIGEST_WARN_MS = 8 * 86_400_000;

export async function runDoctor(ports: DoctorPorts): Promise<Line[]> {
  const lines: Line[] = [];
  const look = async (id: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      lines.push(failed(id, error));
    }
  };
  const { configuration } = ports;
  if (configuration === null)
    lines.push(line("config", "warn", { seen: "no_configuration" }, { action: { kind: "init" } }));
  else lines.push(line("config", "pass", { seen: "configuration", ...configuration }));
  const { registry } = ports;
  if (registry !== null)
    lines.push(
      registry.failure === null
        ? line("registry", "pass", {
            seen: "registry",
            url: registry.url,
            clusters: registry.clusters,
          })
        : failed("registry", registry.failure),
    );
  for (const { name, error } of ports.broken)
    lines.push(failed("registration", error, { cluster: name, action: registerAgain(name) }));
  if (ports.clusters.length === 0 && ports.broken.length === 0 && registry?.failure == null)
    lines.push(
      line(
        "clusters",
        "warn",
        { seen: registry === null ? "no_cluster" : "none_registered" },
        { action: { kind: "clustersAddFirst" } },
      ),
    );
  await look("identity", () => identityLines(ports, lines));
  await look("backups", () => probeBackups(ports, lines));
  await look("state", () => probeStates(ports, lines));
  await topicLine(ports, lines);
  const limit = pLimit(CLUSTERS_AT_ONCE);
  const examined = await Promise.all(
    ports.clusters.map((cluster) =>
      limit(async () => ({
        name: cluster.name,
        ...(await examineCluster(cluster, inTime(ports))),
      })),
    ),
  );
  lines.push(...examined.flatMap((one) => one.lines), ...doubles(examined));
  await look("digest", () => routeLines(ports, lines));
  await look("drill", () => drillLine(ports, lines));
  return lines;
}

/** Ports whose connections are closed when the time of their cluster is over. */
function inTime(ports: DoctorPorts): DoctorPorts {
  return {
    ...ports,
    connect: async (cluster, bearer) => {
      const connection = await ports.connect(cluster, bearer);
      const done = cutInTime(ports.timer, connection.close);
      return {
        ...connection,
        close: async () => {
          done();
          await connection.close();
        },
      };
    },
  };
}

async function identityLines(ports: DoctorPorts, lines: Line[]): Promise<void> {
  const identity = await ports.identity();
  if (identity === null) {
    lines.push(line("identity", "warn", { seen: "no_identity" }, { action: { kind: "init" } }));
    return;
  }
  const { where } = identity;
  const others = ports.clusters.filter(
    ({ sealedFor }) =>
      sealedFor.length > 0 &&
      !sealedFor.some((recipient) => identity.recipients.includes(recipient)),
  );
  for (const { name } of others)
    lines.push(
      line(
        "identity",
        "fail",
        { seen: "identity_of_others", where },
        { cluster: name, action: { kind: "rekey" } },
      ),
    );
  if (identity.shared)
    lines.push(
      line(
        "identity",
        "fail",
        { seen: "identity_shared", where },
        { action: { kind: "chmod", path: where } },
      ),
    );
  if (identity.workTree !== null)
    lines.push(
      line("identity", "fail", {
        seen: "identity_in_work_tree",
        where,
        workTree: identity.workTree,
      }),
    );
  if (others.length === 0 && !identity.shared && identity.workTree === null)
    lines.push(line("identity", "pass", { seen: "identity", where }));
}

async function probeBackups({ backups, newId }: DoctorPorts, lines: Line[]): Promise<void> {
  const key = `${PROBE_NAME}/probe-${newId()}`;
  const probe = new TextEncoder().encode("certkeep-doctor\n");
  await backups.create(key, probe);
  const read = await backups.read(key);
  if (read === null || Buffer.compare(read, probe) !== 0)
    throw new CertkeepError("store_damaged", {
      where: backups.url,
      found: "something else than was just written",
      expected: "what was written",
    });
  try {
    await backups.remove(key);
  } catch (error) {
    // Whoever audits may not delete: that is as it should be.
    if (!isCertkeepError(error)) throw error;
  }
  lines.push(line("backups", "pass", { seen: "backups", url: backups.url }));
  if (!backups.url.startsWith("secretsmanager:")) return;
  let copies = 0;
  for await (const _ of backups.list("")) copies += 1;
  if (copies > MANY_SECRETS)
    lines.push(
      line("backups", "warn", { seen: "many_secrets", backups: copies, limit: MANY_SECRETS }),
    );
}

async function probeStates({ states, newId }: DoctorPorts, lines: Line[]): Promise<void> {
  const before = await states.read(PROBE_NAME);
  const text = `${JSON.stringify({ probe: newId() })}\n`;
  const written = await states.write(PROBE_NAME, text, before?.revision ?? null);
  // Another doctor was here at the same time: the store does what it should.
  if (written !== null && (await states.read(PROBE_NAME)) === null)
    throw new CertkeepError("store_damaged", {
      where: states.url,
      found: "nothing, right after it was written",
      expected: "what was written",
    });
  lines.push(line("state", "pass", { seen: "states", url: states.url }));
}

/** An alarm that nobody hears is none. Whoever may not ask SNS may do all the rest all the same. */
async function topicLine({ topic }: DoctorPorts, lines: Line[]): Promise<void> {
  if (topic === null) return;
  try {
    const { confirmed, pending } = await topic.subscriptions();
    if (confirmed > 0)
      lines.push(line("alarms", "pass", { seen: "alarms", topic: topic.name, count: confirmed }));
    else if (pending > 0)
      lines.push(
        line("alarms", "fail", { seen: "alarms_pending", topic: topic.name, count: pending }),
      );
    else
      lines.push(
        line(
          "alarms",
          "fail",
          { seen: "alarms_unheard", topic: topic.name },
          {
            action: { kind: "subscribe", topic: topic.name },
          },
        ),
      );
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    lines.push(failed("alarms", error, { level: "warn" }));
  }
}

/** Two names for one cluster: each certificate is counted and backed up twice. */
function doubles(
  examined: readonly { readonly name: string; readonly identity: ClusterIdentity | null }[],
): Line[] {
  return examined.flatMap(({ name, identity }, index) => {
    const first = examined
      .slice(0, index)
      .find(
        (one) =>
          identity?.uid != null && one.identity !== null && sameCluster(one.identity, identity),
      );
    return first === undefined
      ? []
      : [
          line(
            "identity",
            "warn",
            { seen: "same_cluster", as: first.name },
            { cluster: name, action: { kind: "clustersRemove", cluster: name } },
          ),
        ];
  });
}

async function routeLines(ports: DoctorPorts, lines: Line[]): Promise<void> {
  const routes = await ports.routes();
  if (routes.length === 0) {
    lines.push(line("digest", "warn", { seen: "no_route" }));
    return;
  }
  const stored = await ports.states.read(DIGEST_NAME);
  const parsed = stored === null ? null : parseDigest(stored.text);
  const known = parsed !== null && parsed.ok ? parsed.document.routes : {};
  const nowMs = ports.clock.nowMs();
  for (const { name, poster, problem } of routes) {
    if (problem !== null || poster === null) {
      lines.push(
        problem === null
          ? line("digest", "fail", { seen: "no_webhook", route: name })
          : failed("digest", problem),
      );
      continue;
    }
    const record = known[name];
    if (record !== undefined && record.failure !== null)
      lines.push(
        line(
          "digest",
          "fail",
          {
            seen: "not_posted",
            route: name,
            answer: record.failure.code,
            queued: record.outbox.length,
            nextMs: (record.outbox[0]?.notBeforeMs ?? 0) - nowMs,
          },
          { action: { kind: "digest" } },
        ),
      );
    else if (record === undefined || record.postMs === 0)
      lines.push(
        line(
          "digest",
          "warn",
          { seen: "never_posted", route: name },
          {
            action: { kind: "sendTest" },
          },
        ),
      );
    else
      lines.push(
        line(
          "digest",
          nowMs - record.postMs > DIGEST_WARN_MS ? "warn" : "pass",
          { seen: "posted", route: name, agoMs: nowMs - record.postMs },
          { action: { kind: "digest" } },
        ),
      );
    if (!ports.sendTest) continue;
    const result = await poster.post(TEST_MESSAGE);
    lines.push(
      result.ok
        ? line("send-test", "pass", { seen: "test_sent", route: name })
        : line(
            "send-test",
            "fail",
            { seen: "test_failed", route: name, answer: result.code },
            { code: "delivery_failed" },
          ),
    );
  }
}

async function drillLine(ports: DoctorPorts, lines: Line[]): Promise<void> {
  const stored = await ports.states.read(DRILL_NAME);
  const note = stored === null ? null : parseDrill(stored.text);
  if (note === null) {
    lines.push(line("drill", "warn", { seen: "no_drill" }, { action: { kind: "drill" } }));
    return;
  }
  const age = ports.clock.nowMs() - parseMs(note.at);
  if (age < -SKEW_MS) {
    lines.push(
      line("drill", "warn", { seen: "drill_ahead", byMs: -age }, { action: { kind: "drill" } }),
    );
    return;
  }
  lines.push(
    line(
      "drill",
      note.unreadable > 0 ? "fail" : age > DRILL_WARN_MS ? "warn" : "pass",
      { seen: "drill", agoMs: age, backups: note.copies, unreadable: note.unreadable },
      { action: { kind: "drill" } },
    ),
  );
}
