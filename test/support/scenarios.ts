/**
 * Days that people meet certkeep on, as the pure rooms see them: states, what all of them tell
 * together, findings, summaries, rows and budgets. No servers. For fixtures of what people read.
 */
import { createHash } from "node:crypto";
import { formatMs } from "../../lib/certificate/time.ts";
import { type Across, createAcross, partOf } from "../../lib/finding/across.ts";
import { clusterFindings } from "../../lib/finding/cluster.ts";
import type { Finding } from "../../lib/finding/finding.ts";
import { countCertificates } from "../../lib/finding/counts.ts";
import { HOUR_MS } from "../../lib/ratelimit/limit.ts";
import { type BudgetLevel, budgetLevels } from "../../lib/report/budgets.ts";
import type { AuditedCluster } from "../../lib/report/audit.ts";
import { certificateRows, type CertificateRow } from "../../lib/report/rows.ts";
import { summarize, type ClusterSummary } from "../../lib/report/summary.ts";
import type {
  CertificateRecord,
  CopyRecord,
  SecretRecord,
  StateDocument,
} from "../../lib/state/document.ts";
import { NO_OBSERVATIONS } from "../../lib/state/observations.ts";
import { answer, history, look, sign } from "../diagnosis/support.ts";
import { certificate, copy, NOW_MS, secret, state } from "../finding/fixture.ts";

const DAY_MS = 24 * HOUR_MS;
const MINUTE_MS = 60_000;
const DOMAIN = "tail1a2b3.ts.net";
/** Secrets in a namespace of the operator's. */
const NAMESPACE = "tailscale";

export interface Scenario {
  readonly nowMs: number;
  readonly states: readonly StateDocument[];
  readonly across: Across;
  readonly findings: readonly Finding[];
  readonly summaries: readonly ClusterSummary[];
  readonly rows: readonly CertificateRow[];
  readonly budgets: readonly BudgetLevel[];
  /** As an audit of each of them would end. */
  readonly audited: readonly AuditedCluster[];
}

const LIMITS = {
  perSet: { count: 5, periodMs: 168 * HOUR_MS },
  perDomain: { count: 50, periodMs: 168 * HOUR_MS },
  source: "",
  checked: "",
};
const ISSUERS = [
  {
    id: "letsencrypt",
    title: "Let's Encrypt",
    environment: "production" as const,
    limits: LIMITS,
  },
];

function scenario(states: readonly StateDocument[], nowMs = NOW_MS): Scenario {
  const across = createAcross(
    states.map((one) => partOf(one, nowMs)),
    { issuers: ISSUERS, overrides: [], atMs: nowMs, nowMs },
  );
  const view = { atMs: nowMs, ignore: [], across, restore: null };
  const summaries = states.map((one) => summarize(one, view));
  return {
    nowMs,
    states,
    across,
    summaries,
    findings: summaries.flatMap(({ findings }) => findings),
    rows: states.flatMap((one, index) => {
      const summary = summaries[index];
      return [...certificateRows(one, summary?.findings ?? [], nowMs, summary?.sight !== "stale")];
    }),
    budgets: budgetLevels(across),
    audited: states.map((one) => {
      const { said } = clusterFindings(one, view);
      return {
        cluster: one.cluster,
        title: one.title,
        server: one.server,
        complete: one.audit?.complete === true,
        scopes: ["all namespaces"],
        copies: { made: 0, present: Object.keys(one.copies).length },
        tally: countCertificates(one, said, nowMs),
        findings: said,
        ignored: 0,
        valuesRead: 3,
        unfilteredFullListings: 0,
        skipped: [],
      };
    }),
  };
}

/** A hostname under the tailnet. */
function host(name: string): string {
  return name.includes(".") ? name : `${name}.${DOMAIN}`;
}

/** A certificate of 90 days with so many left. */
function lasting(
  days: number,
  name: string,
  over: Partial<CertificateRecord> = {},
): CertificateRecord {
  const notBeforeMs = NOW_MS + (days - 90) * DAY_MS;
  const [notBefore, notAfter] = [formatMs(notBeforeMs), formatMs(notBeforeMs + 90 * DAY_MS)];
  const serial = createHash("sha256").update(host(name)).digest("hex").slice(0, 36);
  return certificate({
    domain: host(name),
    names: [host(name)],
    serial,
    sha256: serial,
    notBefore,
    notAfter,
    issuedAt: notBefore,
    firstSeenAt: notBefore,
    windows: [[notBefore, notAfter]],
    copy: { version: `v-${serial.slice(0, 8)}`, digest: "d1", recipients: "r" },
    ...over,
  });
}

/** A backup of it, which was seen valid. */
function backupOf(
  key: string,
  record: CertificateRecord,
  over: Partial<CopyRecord> = {},
): CopyRecord {
  const [namespace = "", name = ""] = key.split("/");
  const { names, serial, sha256, notBefore, notAfter, issuedAt } = record;
  return copy({
    namespace,
    secret: name,
    names: [...names],
    serial,
    sha256,
    notBefore,
    notAfter,
    issuedAt,
    recordedAt: notBefore,
    liveFrom: notBefore,
    ...over,
  });
}

interface Built {
  readonly secrets: Record<string, SecretRecord>;
  readonly copies: Record<string, CopyRecord>;
}

const NOTHING: Built = { secrets: {}, copies: {} };

function place(key: string, record: CertificateRecord, backed = true): Built {
  const whole: CertificateRecord = { ...record, windows: [[record.notBefore, record.notAfter]] };
  return {
    secrets: { [key]: secret({ certificates: { tls: record } }) },
    copies: backed ? { [record.copy?.version ?? key]: backupOf(key, whole) } : {},
  };
}

function join(...parts: readonly Built[]): Built {
  return {
    secrets: Object.assign({}, ...parts.map(({ secrets }) => secrets)) as Built["secrets"],
    copies: Object.assign({}, ...parts.map(({ copies }) => copies)) as Built["copies"],
  };
}

function good(names: readonly string[], days = 60, namespace = NAMESPACE): Built {
  return join(...names.map((name) => place(`${namespace}/${host(name)}`, lasting(days, name))));
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`);
}

function cluster(name: string, built: Built, over: Partial<StateDocument> = {}): StateDocument {
  return {
    ...state(built.secrets, { copies: built.copies }),
    cluster: name,
    title: name,
    server: `https://${name}.example:6443`,
    ...over,
  };
}

const APPS = [
  "admin",
  "argocd",
  "billing",
  "ci",
  "docs",
  "git",
  "orders",
  "reports",
  "status",
  "vault",
  "wiki",
];

/** Secrets that disappeared: `incident` `null` for one by itself. */
function lost(
  { secrets }: Built,
  incident: string | null,
  over: { readonly namespaceGone?: boolean } = {},
): StateDocument["lost"] {
  return Object.fromEntries(
    Object.entries(secrets).map(([key, record]) => [
      key,
      {
        how: "lost",
        incident,
        lostAt: formatMs(NOW_MS - 10 * MINUTE_MS),
        lastSeenAt: formatMs(NOW_MS - 25 * MINUTE_MS),
        ...over,
        record,
      },
    ]),
  );
}

/** 14 certificates, all of them valid and backed up. */
export function healthy(): Scenario {
  return scenario([cluster("prod", good([...APPS, "shop", "grafana", "chat"]))]);
}

/**
 * A RoleBinding of the proxies is missing: one Secret was deleted, five certificates were issued
 * and lost, and the issuer answers 429. A tool cut the intermediate off 11 others.
 */
function rbacLost(): StateDocument {
  const shop = good(["shop"], 70);
  const cut = join(
    ...APPS.map((name) =>
      place(
        `${NAMESPACE}/${host(name)}`,
        lasting(60, name, { windows: [], reasons: ["missing_intermediate"], copy: null }),
      ),
    ),
  );
  const built = join(cut, good(["grafana", "chat"]));
  const where = `${NAMESPACE}/ingress-proxies-0/tailscale`;
  const account = "system:serviceaccount:tailscale:ingress-proxies";
  const key = `${NAMESPACE}/${host("shop")}`;
  const untilMs = NOW_MS + 19 * HOUR_MS + 16 * MINUTE_MS;
  const past = [1, 2, 3, 4, 5].map(
    (i) => [i * 20 * MINUTE_MS, `5${i}a42fbcca`] as readonly [number, string],
  );
  return cluster("prod", join(built, { ...NOTHING, copies: shop.copies }), {
    lost: lost(shop, null),
    evidence: {
      ...(history(past, { names: [host("shop")], claimedBy: "prod", where }) as object),
      refusals: [
        {
          cluster: "prod",
          issuer: "letsencrypt",
          kind: "set",
          key: host("shop"),
          retryAtMs: untilMs,
          seenAtMs: NOW_MS - 20 * MINUTE_MS,
          where,
          burst: 5,
        },
      ],
    },
    observations: {
      ...NO_OBSERVATIONS,
      looks: [look("logs"), look("events"), look("access")],
      signs: [
        sign("store_write_failed", {
          code: "forbidden",
          domain: host("shop"),
          where,
          count: 5,
          firstMs: NOW_MS - 100 * MINUTE_MS,
          lastMs: NOW_MS - 20 * MINUTE_MS,
          sample: `cert("${host("shop")}"): secrets "${host("shop")}" is forbidden`,
        }),
      ],
      access: ["patch", "update"].map((verb) =>
        answer(verb, false, { secret: key, account, sinceMs: NOW_MS - 2 * HOUR_MS }),
      ),
    },
  });
}

/** Somebody deleted the namespace that held 14 certificates. */
function namespaceDeleted(): StateDocument {
  const gone = good(
    numbered("app", 14).map((name) => `${name}.eu.example.com`),
    64,
  );
  return cluster(
    "eu",
    { ...NOTHING, copies: gone.copies },
    {
      lost: lost(gone, `namespace ${NAMESPACE} was deleted`, { namespaceGone: true }),
    },
  );
}

/** A permission lost with a 429, 11 chains cut, and in another cluster a namespace deleted. */
export function badDay(): Scenario {
  return scenario([rbacLost(), namespaceDeleted()]);
}

/** The first of the two alone: one cluster. */
function badDayOfOne(): Scenario {
  return scenario([rbacLost()]);
}

/** 2,000 certificates that were never looked at before, and no key to encrypt backups for. */
export function firstAudit(): Scenario {
  const rest = (name: string, count: number, record: (one: string) => CertificateRecord): Built =>
    join(
      ...numbered(name, count).map((one) =>
        place(`${name}/${one}`, record(`${one}.example.com`), false),
      ),
    );
  const unsaved = { copy: null, notKept: { reason: "no_recipients", at: formatMs(NOW_MS) } };
  const built = join(
    rest("web", 1800, (one) => lasting(60, one, unsaved)),
    rest("mismatch", 59, (one) =>
      lasting(40, one, { ...unsaved, windows: [], reasons: ["key_mismatch"], keyFits: false }),
    ),
    rest("old", 40, (one) => lasting(-3, one, unsaved)),
    rest("soon", 31, (one) => lasting(4, one, unsaved)),
    rest("late", 50, (one) => lasting(20, one, unsaved)),
    rest("private", 20, (one) =>
      lasting(50, one, { ...unsaved, windows: [], reasons: ["unknown_issuer"] }),
    ),
  );
  return scenario([cluster("prod", built)]);
}

/** 60 clusters, 812 certificates, three warnings, and one cluster without an audit for 26 hours. */
export function quietWeek(): Scenario {
  const states = numbered("edge-", 60).map((name, index) => {
    const count = index < 32 ? 14 : 13;
    const late = index < 3 ? 1 : 0;
    const names = numbered("app", count - late).map((one) => `${one}.${name}.example.com`);
    const built = join(
      good(names),
      ...(late === 0
        ? []
        : [place(`${NAMESPACE}/late.${name}`, lasting(20, `late.${name}.example.com`))]),
    );
    return cluster(name, built);
  });
  return scenario(
    states.map((one) =>
      one.cluster === "edge-7" && one.audit !== null
        ? {
            ...one,
            audit: {
              ...one.audit,
              finishedAt: formatMs(NOW_MS - 26.5 * HOUR_MS),
              lastReachedAt: formatMs(NOW_MS - 26.5 * HOUR_MS),
            },
          }
        : one,
    ),
  );
}

/** Two certificates that nothing renews. */
export function nearExpiry(): Scenario {
  return scenario([
    cluster(
      "prod",
      join(
        good(APPS.filter((name) => name !== "billing" && name !== "wiki")),
        good(["billing"], 5),
        good(["wiki"], 20),
      ),
    ),
  ]);
}

/** Two Secrets request one name each for itself: 1 of 5 issuances is left. */
export function nearLimit(): Scenario {
  const name = host("grafana");
  const built = join(
    good(APPS),
    place("monitoring/grafana", lasting(89.6, name, { serial: "0099aa", sha256: "99aa" })),
    place("tailscale/grafana", lasting(89.2, name, { serial: "0099bb", sha256: "99bb" })),
  );
  const past = [
    [22 * HOUR_MS, "77cc"],
    [28 * HOUR_MS, "77dd"],
  ] as const;
  return scenario([
    cluster("prod", built, { evidence: history(past, { names: [name] }) as object }),
  ]);
}

/** The API server rejects the credential; what was wrong when it was last seen is old. */
export function rejectedCredential(): Scenario {
  const since = formatMs(NOW_MS - 30 * HOUR_MS);
  const built = join(
    good(["shop", "grafana"]),
    ...APPS.map((name) =>
      place(
        `${NAMESPACE}/${host(name)}`,
        lasting(60, name, { windows: [], reasons: ["missing_intermediate"], copy: null }),
      ),
    ),
    good(["chat", "mail", "files"], 5),
  );
  const one = cluster("prod", built);
  return scenario([
    {
      ...one,
      audit: {
        startedAt: formatMs(NOW_MS),
        finishedAt: formatMs(NOW_MS),
        complete: false,
        lastCompleteAt: since,
        lastReachedAt: since,
        unread: [
          {
            scope: "cluster",
            code: "cluster_unauthorized",
            message: "cluster prod: the API server rejected the credential (401)",
            since,
          },
        ],
        secrets: 16,
        foreign: 0,
      },
    },
  ]);
}

export const SCENARIOS = {
  healthy,
  badDay,
  badDayOfOne,
  firstAudit,
  quietWeek,
  nearExpiry,
  nearLimit,
  rejectedCredential,
} as const satisfies Record<string, () => Scenario>;
