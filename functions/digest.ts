/**
 * Lambda, every few minutes: posts the digests that are due, and counts for alarms whether audits
 * still finish. A route that fails is logged and counted, and keeps no other from its digest.
 */
import { CertkeepError, isCertkeepError } from "../lib/error.ts";
import type { DigestSettings } from "../lib/report/digest.ts";
import { countState, fleetMetrics, type MetricName } from "../lib/report/metrics.ts";
import { runDigest } from "../lib/usecases/digest.ts";
import type { DigestPorts, Route, RouteOutcome } from "../lib/usecases/digest/deliver.ts";
import { type Telemetry, runFunction, type Invocation, type FunctionRun } from "./shared/run.ts";
import { surveyStates, type ReportPorts, type ReportScope } from "../lib/usecases/report.ts";
import { composeDigest } from "../lib/wiring/digest.ts";

export function handler(_event: unknown, context?: Invocation): Promise<object> {
  return runFunction("digest", context, async (run) => {
    const { ports, work } = await composeDigestFunction(run);
    return digestAll(ports, work);
  });
}

/** @throws CertkeepError config_invalid, store_unavailable */
async function composeDigestFunction(
  run: FunctionRun,
): Promise<{ readonly ports: DigestFunctionPorts; readonly work: DigestWork }> {
  const { ports, scope, settings, routes, digestPorts } = await composeDigest(run, true);
  return {
    ports: {
      log: run.log,
      metrics: run.metrics,
      report: ports,
      digest: digestPorts,
    },
    work: { scope, settings, routes, intervalMinutes: run.intervalMinutes },
  };
}

interface DigestFunctionPorts extends Telemetry {
  readonly report: ReportPorts;
  readonly digest: DigestPorts;
}

interface DigestWork {
  readonly scope: ReportScope;
  readonly settings: DigestSettings;
  readonly routes: readonly Route[];
  readonly intervalMinutes: number;
}

export interface DigestAnswer {
  readonly clusters: number;
  readonly routes: readonly {
    readonly name: string;
    readonly delivered: number;
    readonly waiting: number;
    readonly failure: { readonly code: string; readonly message: string } | null;
  }[];
  readonly metrics: Readonly<Partial<Record<MetricName, number>>>;
}

/** @throws CertkeepError where the states can't be listed */
export async function digestAll(
  { log, metrics, report, digest }: DigestFunctionPorts,
  { scope, settings, routes, intervalMinutes }: DigestWork,
): Promise<DigestAnswer> {
  const atMs = report.clock.nowMs();
  const counted = new Map<string, ReturnType<typeof countState>>();
  // Without a registered cluster there is nothing to tell: the states of those that were are no
  // one's business now.
  const nobody = scope.registered.length === 0;
  const overview = nobody
    ? { summaries: [], unregistered: [], problems: [], budgets: [] }
    : await surveyStates(
        report,
        scope,
        (state) =>
          void counted.set(state.cluster, countState(state, atMs, intervalMinutes * 60_000)),
      );
  if (nobody)
    log.info(
      "no cluster is registered: nothing to tell. Register one with: certkeep clusters add NAME",
    );
  for (const { code, message } of overview.problems)
    log.error("a state can't be read", { code, problem: message });
  const numbers = fleetMetrics(
    scope.registered.map((name) => counted.get(name) ?? null),
    overview.budgets,
  );
  for (const [name, value] of numbers) metrics.put(name, value);

  const outcomes: RouteOutcome[] = [];
  for (const route of nobody ? [] : routes)
    outcomes.push(
      await digestRoute(route, { log, report, digest, metrics }, { ...overview, settings }),
    );
  for (const { name, delivered, waiting, failure } of outcomes) {
    if (failure === null) log.info("route", { route: name, delivered, waiting });
    else
      log.error("a digest is not delivered", {
        route: name,
        delivered,
        waiting,
        code: failure.code,
        problem: failure.message,
      });
  }
  if (!nobody && routes.length === 0)
    log.warn("certkeep.yaml has no route under digest.routes: nothing is posted");
  const undelivered = outcomes.filter(({ failure }) => failure !== null).length;
  metrics.put("DigestsUndelivered", undelivered);
  return {
    clusters: overview.summaries.length,
    routes: outcomes.map(({ failure, ...rest }) => ({
      ...rest,
      failure: failure === null ? null : { code: failure.code, message: failure.message },
    })),
    metrics: Object.fromEntries([...numbers, ["DigestsUndelivered", undelivered]]),
  };
}

async function digestRoute(
  route: Route,
  { digest }: DigestFunctionPorts,
  inputs: Parameters<typeof runDigest>[1],
): Promise<RouteOutcome> {
  const none: RouteOutcome = { name: route.name, delivered: 0, waiting: 0, failure: null };
  try {
    return (await runDigest(digest, inputs, [route]))[0] ?? none;
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    return {
      ...none,
      failure: new CertkeepError(error.code, {
        ...error.parts,
        where: `digest route ${route.name}, ${error.parts.where}`,
      }),
    };
  }
}
