/** An item's clauses where they stand alone: no table names the subject beside them. Pure. */
import type { Item, ItemEvent } from "../items.ts";
import { own, partsText, say, type Text } from "../part.ts";
import { usedText } from "../phrases/limits.ts";
import { count } from "../text.ts";

/** `shop.example in prod: Secret missing`, `11 certificates in prod: expired`. */
export function eventTitle({ subjects, noun, what }: ItemEvent, { clusters }: Item): Text {
  const [first] = subjects;
  const [cluster = ""] = clusters;
  if (noun === "cluster" && subjects.length > 1)
    return say`${own(count(subjects.length, noun))}: ${what}`;
  if (first === undefined || subjects.length > 1)
    return say`${own(count(subjects.length, noun))} in ${
      clusters.length === 1 ? { name: cluster } : own(count(clusters.length, "cluster"))
    }: ${what}`;
  // What befell the whole cluster, or many certificates of it, is titled by the cluster.
  const whole = first.name === first.cluster || noun === "namespace";
  return whole
    ? say`${{ name: first.cluster }}: ${what}`
    : say`${{ name: first.name }} in ${{ name: first.cluster }}: ${what}`;
}

/** A clause as a sentence. */
export function sentence(clause: Text): Text {
  const [first, ...others] = clause;
  if (first === undefined) return [];
  const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  const head =
    typeof first === "string"
      ? capital(first)
      : "said" in first
        ? { said: capital(first.said) }
        : first;
  return [head, ...others, ...(partsText(clause).endsWith(".") ? [] : ["."])];
}

/** The figures of a headline about a rate limit; nothing for any other. */
export function figuresOf({ findings: [{ code, params }] }: Item): Text {
  return code === "set_budget_low" || code === "domain_budget_low" ? usedText(params) : [];
}
