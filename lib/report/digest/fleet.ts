/**
 * A digest's sections about all clusters: what isn't known, what can still be issued, what expires
 * next and what is over. Pure.
 */
import { bar, type BudgetLevel, isLow, levelText } from "../budgets.ts";
import { commandOf } from "../command.ts";
import { instantParts, middle, own, say, type Text } from "../part.ts";
import { causeText } from "../phrases.ts";
import { allUpcoming, type ClusterSummary } from "../summary.ts";
import { count } from "../text.ts";
import type { Item, MessageInput, Section } from "./message.ts";

/** What a digest says of a cluster that wasn't seen now. */
const UNSEEN: Readonly<Record<Exclude<ClusterSummary["sight"], "now">, string>> = {
  part: "partly read",
  stale: "no audit has finished for more than a day",
  unseen: "can't be seen",
  never: "never audited",
  unreadable: "what was seen of it can't be read",
};

const UPCOMING_SHOWN = 5;

function itemOf(parts: Text, cluster: string | null, command: string | null = null): Item {
  return { parts, command, weight: 1, cluster };
}

/** Nothing where there are no items. */
function sectionOf(title: string, rank: number, unit: string, items: readonly Item[]): Section[] {
  return items.length === 0 ? [] : [{ title, rank, items, unit: [unit, `${unit}s`] }];
}

export function unknownSection({ summaries }: MessageInput): Section[] {
  const items = summaries
    .toSorted((a, b) => b.tally.unknown - a.tally.unknown)
    .flatMap(({ sight, title, seenAt, tally, cluster }): Item[] => {
      if (sight === "now") return [];
      const lastSeen =
        seenAt === null || sight === "part" ? [] : say`; last seen ${instantParts(seenAt)}`;
      const unknown =
        tally.unknown === 0
          ? ""
          : `; nothing is known now of ${count(tally.unknown, "certificate")}`;
      return [
        itemOf(
          say`${{ name: title }}: ${own(UNSEEN[sight])}${lastSeen}${own(unknown)}.`,
          cluster,
          sight === "never" ? commandOf({ kind: "audit", cluster }) : null,
        ),
      ];
    });
  return sectionOf("Not known", 2, "cluster", items);
}

export function budgetSection({ budgets, summaries }: MessageInput): Section[] {
  const clusters = new Set(summaries.map(({ cluster }) => cluster));
  const items = budgets
    .filter(
      (budget) =>
        isLow(budget) &&
        (budget.clusters.length === 0 || budget.clusters.some((one) => clusters.has(one))),
    )
    .toSorted((a, b) => a.remaining / a.capacity - b.remaining / b.capacity)
    .map((budget) => itemOf(budgetText(budget), null));
  return sectionOf("Issuance budgets near their limit", 3, "budget", items);
}

function budgetText(budget: BudgetLevel): Text {
  const { name, remaining, capacity, nextSlotMs, fullAtMs, overshot } = budget;
  const by = own(overshot ? "by " : "");
  const next = nextSlotMs === null ? [] : say`; next available ${by}${{ atMs: nextSlotMs }}`;
  const full = fullAtMs === null ? [] : say`; full again ${by}${{ atMs: fullAtMs }}`;
  return [
    `${bar(remaining, capacity)} `,
    { name: middle(name, 60) },
    `: ${levelText(budget)}`,
    ...next,
    ...full,
    ".",
  ];
}

export function upcomingSection({ summaries, kind }: MessageInput): Section[] {
  if (kind === "urgent") return [];
  const items = allUpcoming(summaries)
    .slice(0, UPCOMING_SHOWN)
    .map(({ name, cluster, notAfter }) =>
      itemOf(say`${{ name }} in ${{ name: cluster }}: expires ${instantParts(notAfter)}.`, cluster),
    );
  return sectionOf("Next to expire, still to be renewed by their owners", 5, "certificate", items);
}

export function resolvedSection({ resolved }: MessageInput): Section[] {
  const items = resolved.map(({ label, cluster, code }) =>
    itemOf(say`${{ name: label }} in ${{ name: cluster }}: ${causeText([code])} is over.`, cluster),
  );
  return sectionOf("Resolved since last time", 4, "finding", items);
}
