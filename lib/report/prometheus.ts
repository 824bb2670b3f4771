/**
 * The state of everything as OpenMetrics text
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/): families with HELP and TYPE, base
 * units, timestamps as Unix seconds. Pure.
 *
 * What isn't known has no sample of a value: a gauge of 0 would be a claim.
 */
import { parseMsOrNull } from "../certificate/time.ts";
import { SEVERITIES } from "../finding/codes.ts";
import { plainLines } from "../plain.ts";
import type { BudgetLevel } from "./budgets.ts";
import type { CertificateRow } from "./rows.ts";
import { type ClusterSummary, findingCount } from "./summary.ts";

export interface MetricsInput {
  readonly summaries: readonly ClusterSummary[];
  readonly rows: readonly CertificateRow[];
  readonly budgets: readonly BudgetLevel[];
}

type Labels = Readonly<Record<string, string>>;

/** A gauge with one sample for each of what it is about; `null`: not known, so no sample. */
interface Metric<Of> {
  readonly name: `certkeep_${string}`;
  readonly help: string;
  readonly value: (one: Of) => number | null;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly (readonly [labels: Labels, value: number])[];
}

function isKnown({ sight }: ClusterSummary): boolean {
  return sight !== "never" && sight !== "unreadable";
}

const CLUSTER_METRICS: readonly Metric<ClusterSummary>[] = [
  {
    name: "certkeep_cluster_seen",
    help: "Whether all of the cluster was seen by a recent audit.",
    value: ({ sight }) => (sight === "now" ? 1 : 0),
  },
  {
    name: "certkeep_cluster_last_seen_timestamp_seconds",
    help: "When the cluster last answered an audit.",
    value: ({ seenAt }) => secondsOf(seenAt === null ? null : parseMsOrNull(seenAt)),
  },
  {
    name: "certkeep_certificates",
    help: "Certificates that were last seen.",
    value: (one) => (isKnown(one) ? one.tally.certificates : null),
  },
  {
    name: "certkeep_certificates_ok",
    help:
      "Certificates that are known to be valid now and have no critical finding and no " +
      "warning.",
    value: (one) => (isKnown(one) ? one.tally.ok : null),
  },
  {
    name: "certkeep_certificates_fine",
    help: "The earlier name of certkeep_certificates_ok.",
    value: (one) => (isKnown(one) ? one.tally.ok : null),
  },
  {
    name: "certkeep_certificates_unknown",
    help: "Certificates of which nothing is known now.",
    value: (one) => (isKnown(one) ? one.tally.unknown : null),
  },
  {
    name: "certkeep_certificates_copied",
    help: "Certificates with an encrypted backup.",
    value: (one) => (isKnown(one) ? one.tally.copies : null),
  },
];

const IGNORED: Metric<ClusterSummary> = {
  name: "certkeep_findings_ignored",
  help: "Findings that ignore: mutes.",
  value: ({ ignored }) => ignored,
};

const CERTIFICATE_METRICS: readonly Metric<CertificateRow>[] = [
  {
    name: "certkeep_certificate_not_after_timestamp_seconds",
    help: "When the certificate expires.",
    value: ({ notAfterMs }) => secondsOf(notAfterMs),
  },
  {
    name: "certkeep_certificate_valid",
    help: "Whether its controller will keep it: 1 or 0; absent where it is not known now.",
    value: ({ status, valid }) => (status === "unknown" ? null : Number(valid)),
  },
];

const BUDGET_METRICS: readonly Metric<BudgetLevel>[] = [
  {
    name: "certkeep_budget_remaining_at_most",
    help: "Certificates that the issuer's limit still allows: an estimate by all known issuances.",
    value: ({ remaining }) => remaining,
  },
  {
    name: "certkeep_budget_remaining_at_least",
    help: "The same, at least; absent where it is not known.",
    value: ({ atLeast }) => atLeast,
  },
  {
    name: "certkeep_budget_capacity",
    help: "Certificates that the limit allows at most.",
    value: ({ capacity }) => capacity,
  },
  {
    name: "certkeep_budget_next_slot_timestamp_seconds",
    help: "When one more certificate comes free; absent where the budget is full.",
    value: ({ nextSlotMs }) => secondsOf(nextSlotMs),
  },
];

export function metricsText(input: MetricsInput): string {
  const out: string[] = [];
  for (const { name, help, samples } of families(input)) {
    out.push(`# TYPE ${name} gauge`);
    // "MetricFamily": a name ends with its unit.
    if (name.endsWith("_seconds")) out.push(`# UNIT ${name} seconds`);
    out.push(`# HELP ${name} ${escapeText(help)}`);
    const seen = new Set<string>();
    for (const [labels, value] of samples) {
      const line = `${name}${labelText(labels)}`;
      // A label set may stand once only; two Secrets can't share one, two findings can.
      if (seen.has(line)) continue;
      seen.add(line);
      out.push(`${line} ${numberText(value)}`);
    }
  }
  out.push("# EOF");
  return `${out.join("\n")}\n`;
}

/** One family after the other: the samples of ten thousand certificates aren't held at once. */
function* families({ summaries, rows, budgets }: MetricsInput): Generator<Family> {
  const byCluster = ({ cluster }: ClusterSummary): Labels => ({ cluster });
  for (const metric of CLUSTER_METRICS) yield familyOf(metric, summaries, byCluster);
  yield {
    name: "certkeep_findings",
    help: "Findings by severity, those that are ignored left out.",
    samples: summaries.flatMap((one) =>
      SEVERITIES.map((severity): [Labels, number] => [
        { cluster: one.cluster, severity },
        findingCount([one], severity),
      ]),
    ),
  };
  yield familyOf(IGNORED, summaries, byCluster);
  for (const metric of CERTIFICATE_METRICS) yield familyOf(metric, rows, placeOf);
  for (const metric of BUDGET_METRICS)
    yield familyOf(metric, budgets, ({ name, kind }) => ({ kind, name }));
}

function familyOf<Of>(
  { name, help, value }: Metric<Of>,
  all: readonly Of[],
  labels: (one: Of) => Labels,
): Family {
  const samples = all.flatMap((one): [Labels, number][] => {
    const known = value(one);
    return known === null ? [] : [[labels(one), known]];
  });
  return { name, help, samples };
}

function placeOf({ cluster, namespace, secret, base, name }: CertificateRow): Labels {
  return { cluster, namespace, secret, base, name };
}

function secondsOf(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

/**
 * OpenMetrics, "Escaping": backslash, double quote and line feed; other control characters are
 * shown, since readers split at some.
 */
function escapeText(text: string): string {
  return plainLines(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function labelText(labels: Labels): string {
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeText(value)}"`)
    .join(",")}}`;
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : "NaN";
}
