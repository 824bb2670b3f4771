/**
 * Says what isn't set up right, and how to mend it: configuration, identity, stores, clocks, and each cluster. It
 * changes nothing but a probe in each store, of which the copies' is taken away again.
 *
 * Every look is by itself: what can't be looked at is a line that says so, and hides no other.
 */
import { parseMs } from "../certificate/time.ts";
import type { SectionBlock } from "@slack/types";
import pLimit from "p-limit";
import { CertkeepError, isCertkeepError } from "../error.ts";
import { commandLine, literal } from "../report/shell.ts";
import { SKEW_MS } from "../ratelimit/evidence.ts";
import { answerText } from "../report/slack/answer.ts";
import { count, span } from "../report/text.ts";
import { DRILL_NAME, parseDrill } from "./drill/record.ts";
import { DIGEST_NAME, parseDigest } from "../state/digest.ts";
import { sameCluster, type ClusterIdentity } from "../state/identity.ts";
import type { DoctorPorts } from "./doctor/context.ts";
import { cutInTime } from "./deadline.ts";
import { waitText } from "./digest.ts";
import { examineCluster } from "./doctor/cluster.ts";
import { failed, line, type Line } from "./doctor/line.ts";

const TRUST = {
  named: "named by --config",
  user: "in your configuration folder",
  approved: "approved by you",
};
const CLUSTERS_AT_ONCE = 4;
/** Where a month of one secret each (0.40 USD by AWS's price list) comes to more than a bucket is ever likely to. */
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
    lines.push(
      line(
        "config",
        "warn",
        "there is no certkeep.yaml: the defaults hold, and nothing is backed up",
        { command: "certkeep init" },
      ),
    );
  else
    lines.push(
      line(
        "config",
        "pass",
        `configuration in use: ${configuration.file} (${TRUST[configuration.trust]})`,
      ),
    );
  const { registry } = ports;
  if (registry !== null)
    lines.push(
      registry.failure === null
        ? line(
            "registry",
            "pass",
            `${registry.url} can be read: ${count(registry.clusters, "cluster")}`,
          )
        : failed("registry", registry.failure),
    );
  for (const { name, error } of ports.broken)
    lines.push(
      failed("registration", error, { cluster: name, command: `certkeep clusters add ${name}` }),
    );
  if (ports.clusters.length === 0 && ports.broken.length === 0 && registry?.failure == null)
    lines.push(
      line(
        "clusters",
        "warn",
        registry === null
          ? "no cluster is configured: an audit takes the current context of your kubeconfig"
          : "no cluster is registered: nothing is audited",
        { command: "certkeep clusters add NAME --context CTX" },
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
    lines.push(
      line(
        "identity",
        "warn",
        "no identity is here: copies are made, and can't be opened, drilled or restored from this machine",
        { command: "certkeep init" },
      ),
    );
    return;
  }
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
        `the identity ${identity.where} opens none of this cluster's copies: its recipient isn't among theirs`,
        { cluster: name, command: "certkeep backups rekey" },
      ),
    );
  if (identity.shared)
    lines.push(
      line(
        "identity",
        "fail",
        `others may read the identity ${identity.where}, which opens every copy`,
        {
          command: /^[A-Za-z0-9._/-]+$/.test(identity.where) ? `chmod 600 ${identity.where}` : null,
        },
      ),
    );
  if (identity.workTree !== null)
    lines.push(
      line(
        "identity",
        "fail",
        `the identity ${identity.where} lies in the git work tree ${identity.workTree}, and a commit could publish it: move it out`,
      ),
    );
  if (others.length === 0 && !identity.shared && identity.workTree === null)
    lines.push(line("identity", "pass", `the identity ${identity.where} opens what is sealed now`));
}

async function probeBackups({ backups, newId }: DoctorPorts, lines: Line[]): Promise<void> {
  const key = `${PROBE_NAME}/probe-${newId()}`;
  const probe = new TextEncoder().encode("certkeep doctor\n");
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
  lines.push(line("backups", "pass", `${backups.url} takes copies and gives them back`));
  if (!backups.url.startsWith("secretsmanager:")) return;
  let copies = 0;
  for await (const _ of backups.list("")) copies += 1;
  if (copies > MANY_SECRETS)
    lines.push(
      line(
        "backups",
        "warn",
        `${copies} copies lie in Secrets Manager, which charges for each secret by the month: from about ${MANY_SECRETS} on S3 is the better choice (stores.backups: s3://BUCKET)`,
      ),
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
  lines.push(line("state", "pass", `${states.url} takes states and gives them back`));
}

/** An alarm that nobody hears is none. Whoever may not ask SNS may do all the rest all the same. */
async function topicLine({ topic }: DoctorPorts, lines: Line[]): Promise<void> {
  if (topic === null) return;
  try {
    const { confirmed, pending } = await topic.subscriptions();
    if (confirmed > 0)
      lines.push(
        line("alarms", "pass", `alarms go to ${count(confirmed, "subscriber")} of ${topic.name}`),
      );
    else if (pending > 0)
      lines.push(
        line(
          "alarms",
          "fail",
          `nobody hears an alarm: ${count(pending, "subscription")} of ${topic.name} ${pending === 1 ? "waits" : "wait"} to be confirmed. Follow the link in the message that AWS sent`,
        ),
      );
    else
      lines.push(
        line("alarms", "fail", `nobody hears an alarm: ${topic.name} has no subscription`, {
          command: commandLine(
            literal("aws sns subscribe --topic-arn"),
            topic.name,
            literal("--protocol email --notification-endpoint"),
            literal("ADDRESS"),
          ),
        }),
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
            `it is the same cluster as ${first.name}: it is audited and backed up twice`,
            { cluster: name, command: `certkeep clusters remove ${name}` },
          ),
        ];
  });
}

async function routeLines(ports: DoctorPorts, lines: Line[]): Promise<void> {
  const routes = await ports.routes();
  if (routes.length === 0) {
    lines.push(
      line(
        "digest",
        "warn",
        "no digest goes anywhere: findings are seen only by whoever asks. Name a webhook under digest: in certkeep.yaml",
      ),
    );
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
          ? line("digest", "fail", `the route ${name} has no webhook`)
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
          `the route ${name} didn't deliver the last message: ${answerText(record.failure.code)}. ${count(record.outbox.length, "message")} queued, next try ${waitText((record.outbox[0]?.notBeforeMs ?? 0) - nowMs)}`,
          { command: "certkeep digest" },
        ),
      );
    else if (record === undefined || record.postMs === 0)
      lines.push(
        line("digest", "warn", `nothing was posted on the route ${name} yet`, {
          command: "certkeep doctor --send-test",
        }),
      );
    else
      lines.push(
        line(
          "digest",
          nowMs - record.postMs > DIGEST_WARN_MS ? "warn" : "pass",
          `the last digest on the route ${name} was ${span(nowMs - record.postMs)} ago`,
          { command: "certkeep digest" },
        ),
      );
    if (!ports.sendTest) continue;
    const result = await poster.post({
      text: "certkeep: a test message. Digests arrive here.",
      blocks: [
        {
          type: "section",
          text: { type: "plain_text", text: "certkeep: a test message. Digests arrive here." },
        } satisfies SectionBlock,
      ],
    });
    lines.push(
      result.ok
        ? line("send-test", "pass", `the route ${name} delivered a test message`)
        : line(
            "send-test",
            "fail",
            `the route ${name} didn't deliver a test message: ${answerText(result.code)}`,
            { code: "delivery_failed" },
          ),
    );
  }
}

async function drillLine(ports: DoctorPorts, lines: Line[]): Promise<void> {
  const stored = await ports.states.read(DRILL_NAME);
  const note = stored === null ? null : parseDrill(stored.text);
  if (note === null) {
    lines.push(
      line("drill", "warn", "no drill was done: whether the copies can be opened isn't known", {
        command: "certkeep drill",
      }),
    );
    return;
  }
  const age = ports.clock.nowMs() - parseMs(note.at);
  if (age < -SKEW_MS) {
    lines.push(
      line(
        "drill",
        "warn",
        `the last drill is dated ${span(age)} in the future: a clock was ahead`,
        { command: "certkeep drill" },
      ),
    );
    return;
  }
  lines.push(
    line(
      "drill",
      note.unreadable > 0 ? "fail" : age > DRILL_WARN_MS ? "warn" : "pass",
      `the last drill was ${span(age)} ago: ${note.copies} copies, ${note.unreadable} unreadable`,
      { command: "certkeep drill" },
    ),
  );
}
