/** The doctor's checks of what all clusters share: identity, stores, alarms, drills, routes. */
import { parseMs } from "../../certificate/time.ts";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { SKEW_MS } from "../../ratelimit/evidence.ts";
import type { DoctorLine } from "../../report/doctor.ts";
import { TEST_MESSAGE } from "../../report/slack/blocks.ts";
import { DIGEST_NAME, parseDigest, type RouteRecord } from "../../state/digest.ts";
import { DRILL_NAME, parseDrill } from "../drill/record.ts";
import type { DoctorPorts, ExaminedRoute } from "./context.ts";
import { failed, line } from "./line.ts";

/**
 * Where a month of one secret each (0.40 USD by AWS's price list) comes to more than a bucket is
 * ever likely to.
 */
const MANY_SECRETS = 100;
const PROBE_NAME = "doctor";
const DRILL_WARN_MS = 35 * 86_400_000;
const DIGEST_WARN_MS = 8 * 86_400_000;

export async function identityLines({ identity, clusters }: DoctorPorts): Promise<DoctorLine[]> {
  const found = await identity();
  if (found === null) {
    const named = [...new Set(clusters.flatMap(({ sealedFor }) => sealedFor))];
    const action = named.length === 0 ? ({ kind: "init" } as const) : null;
    return [line("identity", "warn", { seen: "no_identity", recipients: named }, { action })];
  }
  const { where, shared, workTree, recipients, outside } = found;
  const lines = clusters
    .filter(
      ({ sealedFor }) =>
        sealedFor.length > 0 && !sealedFor.some((recipient) => recipients.includes(recipient)),
    )
    .map(({ name, sealedFor }) =>
      line(
        "identity",
        "fail",
        { seen: "identity_of_others", where, recipients: sealedFor },
        { cluster: name },
      ),
    );
  if (shared) {
    const action = { kind: "chmod", path: where } as const;
    lines.push(line("identity", "fail", { seen: "identity_shared", where }, { action }));
  }
  if (workTree !== null) {
    const action =
      outside === null ? null : ({ kind: "moveAway", path: where, to: outside } as const);
    const observed = { seen: "identity_in_work_tree", where, workTree } as const;
    lines.push(line("identity", "fail", observed, { action }));
  }
  return lines.length > 0 ? lines : [line("identity", "pass", { seen: "identity", where })];
}

export async function backupLines({ backups, newId }: DoctorPorts): Promise<DoctorLine[]> {
  const key = `${PROBE_NAME}/probe-${newId()}`;
  const probe = new TextEncoder().encode("certkeep-doctor\n");
  await backups.create(key, probe);
  const read = await backups.read(key);
  if (read === null || Buffer.compare(read, probe) !== 0)
    throw notReturned(backups.url, read === null ? "nothing" : "something else");
  try {
    await backups.remove(key);
  } catch (error) {
    // A credential that audits has no permission to delete, and needs none.
    if (!isCertkeepError(error)) throw error;
  }
  const lines = [line("backups", "pass", { seen: "backups", url: backups.url })];
  if (!backups.url.startsWith("secretsmanager:")) return lines;
  let count = 0;
  for await (const _ of backups.list("")) count += 1;
  if (count > MANY_SECRETS)
    lines.push(
      line("backups", "warn", { seen: "many_secrets", backups: count, limit: MANY_SECRETS }),
    );
  return lines;
}

export async function stateLines({ states, newId }: DoctorPorts): Promise<DoctorLine[]> {
  const before = await states.read(PROBE_NAME);
  const text = `${JSON.stringify({ probe: newId() })}\n`;
  const written = await states.write(PROBE_NAME, text, before?.revision ?? null);
  // Another doctor was here at the same time: the store does what it should.
  if (written !== null && (await states.read(PROBE_NAME)) === null)
    throw notReturned(states.url, "nothing");
  return [line("state", "pass", { seen: "states", url: states.url })];
}

/** An identity without permission for SNS can still do all the rest. */
export async function alarmLines({ topic }: DoctorPorts): Promise<DoctorLine[]> {
  if (topic === null) return [];
  const { name } = topic;
  try {
    const { confirmed, pending } = await topic.subscriptions();
    if (confirmed > 0)
      return [line("alarms", "pass", { seen: "alarms", topic: name, count: confirmed })];
    if (pending > 0)
      return [line("alarms", "fail", { seen: "alarms_pending", topic: name, count: pending })];
    const action = { kind: "subscribe", topic: name } as const;
    return [line("alarms", "fail", { seen: "alarms_unheard", topic: name }, { action })];
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return [failed("alarms", error, { level: "warn" })];
  }
}

export async function drillLines({
  states,
  backups: store,
  clock,
}: DoctorPorts): Promise<DoctorLine[]> {
  const stored = await states.read(DRILL_NAME);
  const note = stored === null ? null : parseDrill(stored.text);
  const rest = { action: { kind: "drill" } } as const;
  if (note === null) {
    for await (const _ of store.list(""))
      return [line("drill", "warn", { seen: "no_drill" }, rest)];
    return [];
  }
  const { copies: backups, unreadable } = note;
  const agoMs = clock.nowMs() - parseMs(note.at);
  if (agoMs < -SKEW_MS) return [line("drill", "warn", { seen: "drill_ahead", byMs: -agoMs }, rest)];
  const level = unreadable > 0 ? "fail" : agoMs > DRILL_WARN_MS ? "warn" : "pass";
  return [line("drill", level, { seen: "drill", agoMs, backups, unreadable }, rest)];
}

export async function routeLines(ports: DoctorPorts): Promise<DoctorLine[]> {
  const routes = await ports.routes();
  if (routes.length === 0) return [line("digest", "warn", { seen: "no_route" })];
  const stored = await ports.states.read(DIGEST_NAME);
  const parsed = stored === null ? null : parseDigest(stored.text);
  const known = parsed !== null && parsed.ok ? parsed.document.routes : {};
  const nowMs = ports.clock.nowMs();
  const lines: DoctorLine[] = [];
  for (const route of routes) {
    const { name, poster, problem } = route;
    if (problem !== null) lines.push(failed("digest", problem));
    else if (poster === null)
      lines.push(line("digest", "fail", { seen: "no_webhook", route: name }));
    else {
      lines.push(deliveryLine(name, known[name], nowMs));
      if (ports.sendTest) lines.push(await testLine(name, poster));
    }
  }
  return lines;
}

function deliveryLine(route: string, record: RouteRecord | undefined, nowMs: number): DoctorLine {
  if (record !== undefined && record.failure !== null) {
    const nextMs = (record.outbox[0]?.notBeforeMs ?? 0) - nowMs;
    const answer = record.failure.code;
    const queued = record.outbox.length;
    const observed = { seen: "not_posted", route, answer, queued, nextMs } as const;
    return line("digest", "fail", observed, { action: { kind: "digest" } });
  }
  if (record === undefined || record.postMs === 0) {
    const action = { kind: "sendTest" } as const;
    return line("digest", "warn", { seen: "never_posted", route }, { action });
  }
  const agoMs = nowMs - record.postMs;
  const level = agoMs > DIGEST_WARN_MS ? "warn" : "pass";
  return line("digest", level, { seen: "posted", route, agoMs }, { action: { kind: "digest" } });
}

async function testLine(
  route: string,
  poster: NonNullable<ExaminedRoute["poster"]>,
): Promise<DoctorLine> {
  const result = await poster.post(TEST_MESSAGE);
  if (result.ok) return line("send-test", "pass", { seen: "test_sent", route });
  const observed = { seen: "test_failed", route, answer: result.code } as const;
  return line("send-test", "fail", observed, { code: "delivery_failed" });
}

function notReturned(where: string, returned: "nothing" | "something else"): CertkeepError {
  return new CertkeepError("store_damaged", {
    where,
    found: `it returned ${returned} right after a write`,
    todo: "Check the store, and any proxy or cache in front of it",
  });
}
