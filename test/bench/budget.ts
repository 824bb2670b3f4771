/**
 * Budgets over 100,000 issuances in 10,000 sets: merging what three sources know, putting it in
 * order, and every budget of set and domain. Prints the machine, the Node version and the time of
 * each step.
 *
 * Run: `npm exec -- node test/bench/budget.ts`
 */
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { allBudgets } from "../../lib/ratelimit/budget.ts";
import { type Evidence, mergeEvidence, NO_EVIDENCE } from "../../lib/ratelimit/evidence.ts";
import { createIssuance, type Issuance, type SourceKind } from "../../lib/ratelimit/issuance.ts";
import { createLedger } from "../../lib/ratelimit/ledger.ts";
import { createLimit, DAY_MS, HOUR_MS } from "../../lib/ratelimit/limit.ts";
import { putRow } from "./support/row.ts";

const ISSUANCES = 100_000;
const SETS = 10_000;
const TAILNETS = 100;
const NOW = Date.UTC(2026, 10, 20);
const LIMITS = new Map([
  [
    "letsencrypt",
    {
      set: createLimit({ count: 5, periodMs: 168 * HOUR_MS }),
      domain: createLimit({ count: 50, periodMs: 168 * HOUR_MS }),
    },
  ],
]);

/** The i-th issuance, spread over 120 days, as one source shows it. */
function issuanceOf(i: number, kind: SourceKind): Issuance {
  const issuedMs = NOW - ((i * 7_919) % (120 * 24 * 3600)) * 1000 - (i % 997);
  const notBeforeMs = issuedMs - 3_510_000;
  const cluster = kind === "ct" ? null : `cluster-${i % 50}`;
  return createIssuance({
    issuer: "letsencrypt",
    serial: (i + 0x1000000).toString(16),
    names: [`app-${i % SETS}.tail${i % TAILNETS}.ts.net`],
    notBeforeMs,
    notAfterMs: notBeforeMs + 90 * DAY_MS,
    sctMs: issuedMs,
    backdateMs: 3_510_000,
    sources: [{ kind, cluster, where: "tailscale/app", firstSeenMs: issuedMs + 60_000 }],
    claimedBy: null,
  });
}

const all = Array.from({ length: ISSUANCES }, (_, i) => i);
const span = {
  source: "ct" as const,
  cluster: null,
  issuer: "letsencrypt",
  scope: { kind: "all" as const },
  fromMs: NOW - 100 * DAY_MS,
  untilMs: NOW - HOUR_MS,
};

function run(): Record<string, number> {
  const times: Record<string, number> = {};
  const timed = <T>(step: string, work: () => T): T => {
    const start = performance.now();
    const value = work();
    times[step] = performance.now() - start;
    return value;
  };
  const parts = timed("make records (110,000 of three sources)", (): Evidence[] => [
    {
      ...NO_EVIDENCE,
      issuances: all.filter((i) => i % 2 === 0).map((i) => issuanceOf(i, "secret")),
    },
    {
      ...NO_EVIDENCE,
      issuances: all.filter((i) => i % 10 === 0).map((i) => issuanceOf(i, "backup")),
    },
    {
      ...NO_EVIDENCE,
      issuances: all.filter((i) => i % 2 === 1).map((i) => issuanceOf(i, "ct")),
      coverage: [span],
    },
  ]);
  const evidence = timed("merge", () => mergeEvidence(...parts));
  const ledger = timed("put in order", () => createLedger(evidence, { limits: LIMITS }));
  const budgets = timed("budgets of all sets and domains", () => allBudgets(ledger, NOW));
  if (evidence.issuances.length !== ISSUANCES || budgets.length !== SETS + TAILNETS)
    throw new Error(`${evidence.issuances.length} issuances, ${budgets.length} budgets`);
  return times;
}

const first = run();
const later = Array.from({ length: 4 }, run);
process.stdout.write(
  `${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, Node ${process.version}\n`,
);
process.stdout.write(
  `${ISSUANCES} issuances, ${SETS} sets, ${TAILNETS} domains; ms, first run and best of four ` +
    "more\n",
);
let sumFirst = 0;
let sumBest = 0;
for (const [step, ms] of Object.entries(first)) {
  const best = Math.min(...later.map((times) => times[step] ?? ms));
  sumFirst += ms;
  sumBest += best;
  process.stdout.write(
    `  ${step.padEnd(42)} ${ms.toFixed(0).padStart(6)} ${best.toFixed(0).padStart(6)}\n`,
  );
}
process.stdout.write(
  `  ${"all".padEnd(42)} ${sumFirst.toFixed(0).padStart(6)} ${sumBest.toFixed(0).padStart(6)}\n`,
);
putRow({
  what: `budgets over ${ISSUANCES} issuances`,
  hold: "",
  measured: `${Math.round(sumBest)} ms (first run ${Math.round(sumFirst)} ms)`,
  holds: null,
});
