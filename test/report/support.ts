/** States, summaries and plans for the tests of what people read. */
import { createHash } from "node:crypto";
import { formatMs } from "../../lib/certificate/time.ts";
import { planDigest, type DigestInput, type DigestPlan } from "../../lib/report/digest.ts";
import { summarize, type ClusterSummary } from "../../lib/report/summary.ts";
import type { CertificateRecord, SecretRecord, StateDocument } from "../../lib/state/document.ts";
import { certificate, NOW, NOW_MS, secret, state } from "../finding/fixture.ts";

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const SETTINGS = { atMinute: 8 * 60, weekday: 1 };
export const ROUTE = { name: "ops", clusters: null, severity: "info" as const };

function at(ms: number): string {
  return formatMs(ms);
}

/** A certificate of 90 days that has so many days left. */
export function lasting(
  days: number,
  domain: string,
  over: Partial<CertificateRecord> = {},
): CertificateRecord {
  const notAfter = at(NOW_MS + days * DAY);
  const notBefore = at(NOW_MS + (days - 90) * DAY);
  // Each its own: the same serial in two places is one issuance.
  const serial = createHash("sha256").update(domain).digest("hex").slice(0, 36);
  return certificate({
    domain,
    names: [domain],
    serial,
    sha256: serial,
    notBefore,
    notAfter,
    windows: [[notBefore, notAfter]],
    ...over,
  });
}

/** A cluster of so many good certificates, and others. */
export function cluster(
  name: string,
  good: number,
  others: Record<string, SecretRecord> = {},
  over: Partial<StateDocument> = {},
): StateDocument {
  const secrets: Record<string, SecretRecord> = {};
  for (let i = 0; i < good; i += 1)
    secrets[`apps/app${i}`] = secret({
      certificates: { tls: lasting(60, `app${i}.${name}.example`) },
    });
  return { ...state({ ...secrets, ...others }), cluster: name, title: name, ...over };
}

/** The state of a cluster whose last audit did not reach it. */
export function unreachable(name: string, good: number, sinceMs: number): StateDocument {
  const since = at(sinceMs);
  return cluster(
    name,
    good,
    {},
    {
      audit: {
        startedAt: NOW,
        finishedAt: NOW,
        complete: false,
        lastCompleteAt: since,
        lastReachedAt: since,
        unread: [
          {
            scope: "cluster",
            code: "cluster_timeout",
            message: `cluster ${name}: no answer within 30 s`,
            since,
          },
        ],
        secrets: good,
        foreign: 0,
      },
    },
  );
}

export function summaryOf(one: StateDocument, nowMs = NOW_MS): ClusterSummary {
  return summarize(one, { atMs: nowMs, ignore: [] });
}

export function plan(
  states: readonly StateDocument[],
  over: Partial<DigestInput> = {},
): DigestPlan {
  const nowMs = over.nowMs ?? NOW_MS;
  return planDigest({
    summaries: states.map((one) => summaryOf(one, nowMs)),
    unregistered: [],
    record: null,
    nowMs,
    settings: SETTINGS,
    route: ROUTE,
    ...over,
  });
}

/** The same states, seen so much later: their audits are as recent as before. */
export function later(one: StateDocument, nowMs: number): StateDocument {
  const audited = at(nowMs);
  return one.audit === null
    ? one
    : {
        ...one,
        audit: {
          ...one.audit,
          startedAt: audited,
          finishedAt: audited,
          ...(one.audit.complete ? { lastReachedAt: audited, lastCompleteAt: audited } : {}),
        },
      };
}
