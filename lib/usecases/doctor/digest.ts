/** The doctor's check of each route that digests are posted on. */
import type { DoctorLine } from "../../report/doctor.ts";
import { TEST_MESSAGE } from "../../report/slack/blocks.ts";
import { DIGEST_NAME, parseDigest, type RouteRecord } from "../../state/digest.ts";
import type { DoctorPorts, ExaminedRoute } from "./context.ts";
import { failed, line } from "./line.ts";

const DIGEST_WARN_MS = 8 * 86_400_000;

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
