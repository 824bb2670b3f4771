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
import type { BudgetLevel } from "./budget.ts";
import type { CertificateRow } from "./rows.ts";
import type { ClusterSummary } from "./summary.ts";

export interface MetricsInput {
  readonly summaries: readonly ClusterSummary[];
  readonly rows: readonly CertificateRow[];
  readonly budgets: readonly BudgetLevel[];
}

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly unit: string | null;
  readonly samples: Iterable<readonly [labels: Labels, value: number]>;
}

export function metricsText(input: MetricsInput): string {
  const out: string[] = [];
  for (const { name, help, unit, samples } of families(input)) {
    out.push(`# TYPE ${name} gauge`);
    if (unit !== null) out.push(`# UNIT ${name} ${unit}`);
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

function* families({ summaries, rows, budgets }: MetricsInput): Generator<Family> {
  const perCluster = (pick: (one: ClusterSummary) => number | null): Family["samples"] =>
    summaries.flatMap((one): [Labels, number][] => {
      const value = pick(one);
      return value === null ? [] : [[{ cluster: one.cluster }, value]];
    });
  const unsure = (one: ClusterSummary): boolean =>
    one.sight === "never" || one.sight === "unreadable";
  yield {
    name: "certkeep_cluster_seen",
    help: "Whether all of the cluster was seen by a recent audit.",
    unit: null,
    samples: perCluster(({ sight }) => (sight === "now" ? 1 : 0)),
  };
  yield {
    name: "certkeep_cluster_last_seen_timestamp_seconds",
    help: "When the cluster last answered an audit.",
    unit: "seconds",
    samples: perCluster(({ seenAt }) => secondsOf(seenAt)),
  };
  yield {
    name: "certkeep_certificates",
    help: "Certificates that were last seen.",
    unit: null,
    samples: perCluster((one) => (unsure(one) ? null : one.tally.certificates)),
  };
  yield {
    name: "certkeep_certificates_fine",
    help: "Certificates that are known to be good now and have no finding.",
    unit: null,
    samples: perCluster((one) => (unsure(one) ? null : one.tally.fine)),
  };
  yield {
    name: "certkeep_certificates_unknown",
    help: "Certificates of which nothing is known now.",
    unit: null,
    samples: perCluster((one) => (unsure(one) ? null : one.tally.unknown)),
  };
  yield {
    name: "certkeep_certificates_copied",
    help: "Certificates with a sealed copy.",
    unit: null,
    samples: perCluster((one) => (unsure(one) ? null : one.tally.copies)),
  };
  yield {
    name: "certkeep_findings",
    help: "Findings by severity, those that are ignored left out.",
    unit: null,
    samples: summaries.flatMap((one) =>
      SEVERITIES.map((severity): [Labels, number] => [
        { cluster: one.cluster, severity },
        one.findings.filter((finding) => finding.severity === severity).length,
      ]),
    ),
  };
  yield {
    name: "certkeep_findings_ignored",
    help: "Findings that ignore: mutes.",
    unit: null,
    samples: perCluster(({ ignored }) => ignored),
  };
  yield {
    name: "certkeep_certificate_not_after_timestamp_seconds",
    help: "When the certificate expires.",
    unit: "seconds",
    samples: rows.flatMap((row): [Labels, number][] =>
      row.notAfterMs === null ? [] : [[placeOf(row), row.notAfterMs / 1000]],
    ),
  };
  yield {
    name: "certkeep_certificate_valid",
    help: "Whether its owner will keep it: 1 or 0; absent where it is not known now.",
    unit: null,
    samples: rows.flatMap((row): [Labels, number][] =>
      row.status === "unknown" ? [] : [[placeOf(row), row.valid ? 1 : 0]],
    ),
  };
  const budget = ({ name, kind }: BudgetLevel): Labels => ({ kind, name });
  yield {
    name: "certkeep_budget_remaining_at_most",
    help: "Certificates that the issuer's limit still allows: an estimate by all known issuances.",
    unit: null,
    samples: budgets.map((one): [Labels, number] => [budget(one), one.remaining]),
  };
  yield {
    name: "certkeep_budget_remaining_at_least",
    help: "The same, at least; absent where it is not known.",
    unit: null,
    samples: budgets.flatMap((one): [Labels, number][] =>
      one.atLeast === null ? [] : [[budget(one), one.atLeast]],
    ),
  };
  yield {
    name: "certkeep_budget_capacity",
    help: "Certificates that the limit allows at most.",
    unit: null,
    samples: budgets.map((one): [Labels, number] => [budget(one), one.capacity]),
  };
  yield {
    name: "certkeep_budget_next_slot_timestamp_seconds",
    help: "When one more certificate comes free; absent where the budget is full.",
    unit: "seconds",
    samples: budgets.flatMap((one): [Labels, number][] =>
      one.nextSlotMs === null ? [] : [[budget(one), one.nextSlotMs / 1000]],
    ),
  };
}

function placeOf({ cluster, namespace, secret, base, name }: CertificateRow): Labels {
  return { cluster, namespace, secret, base, name };
}

function secondsOf(instant: string | null): number | null {
  const at = instant === null ? null : parseMsOrNull(instant);
  return at === null ? null : at / 1000;
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
