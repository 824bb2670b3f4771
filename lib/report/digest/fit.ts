/**
 * Makes a message fit a medium: as many items as it holds, the least important left out first, and
 * a line says how many each cut left out. Pure.
 */
import type { Severity } from "../../finding/codes.ts";
import type { Part } from "../part.ts";
import type { Item, Message, Section } from "./message.ts";

export interface FittedSection {
  readonly title: string;
  /** Of its findings; absent where it isn't about findings. */
  readonly severity?: Severity;
  /** What all its items stand for. */
  readonly total: number;
  readonly items: readonly Item[];
  /** `and 37 more in staging`, or `null` where nothing is left out. */
  readonly rest: readonly Part[] | null;
}

export interface FittedMessage extends Omit<Message, "sections"> {
  readonly sections: readonly FittedSection[];
}

/** Items of a section that a person reads through, whatever the medium holds. */
const MOST_ITEMS = 12;
const CLUSTERS_NAMED = 3;

/**
 * `fits` says whether the medium holds the message; what it holds may only shrink as items are
 * added.
 */
export function fitMessage(
  message: Message,
  fits: (fitted: FittedMessage) => boolean,
): FittedMessage {
  const order = message.sections
    .map((section, index) => ({ section, index }))
    .toSorted((a, b) => a.section.rank - b.section.rank || a.index - b.index);
  const shown = message.sections.map(() => 0);
  const dropped = new Set<number>();
  // A section whose number of items doesn't change stays the same object, so that its cost is
  // counted once.
  const cuts = message.sections.map((section) => cutSection(section, 0));
  const show = (index: number, section: Section, items: number): void => {
    shown[index] = items;
    cuts[index] = cutSection(section, items);
  };
  const build = (): FittedMessage => ({
    ...message,
    sections: cuts.filter((_, index) => !dropped.has(index)),
    notes:
      dropped.size === 0
        ? message.notes
        : [
            droppedNote(message.sections.filter((_, index) => dropped.has(index))),
            ...message.notes,
          ],
  });
  let fitted = build();
  // Where not even the titles fit, whole sections become numbers, the least important first.
  for (const { index } of order.toReversed()) {
    if (fits(fitted)) break;
    dropped.add(index);
    fitted = build();
  }
  for (const { section, index } of order) {
    if (dropped.has(index)) return fitted;
    while ((shown[index] ?? 0) < Math.min(section.items.length, MOST_ITEMS)) {
      show(index, section, (shown[index] ?? 0) + 1);
      const next = build();
      if (!fits(next)) {
        // Nothing of less importance may take the room that this item didn't get.
        return fitted;
      }
      fitted = next;
    }
  }
  return fitted;
}

function cutSection(section: Section, shown: number): FittedSection {
  const items = section.items.slice(0, shown);
  const left = section.items.slice(shown);
  const leftWeight = weightOf(left);
  return {
    title: section.title,
    ...(section.severity === undefined ? {} : { severity: section.severity }),
    total: weightOf(section.items),
    items,
    rest: leftWeight === 0 ? null : restParts(left, leftWeight, section, shown === 0),
  };
}

function weightOf(items: readonly Item[]): number {
  return items.reduce((sum, { weight }) => sum + weight, 0);
}

function droppedNote(sections: readonly Section[]): Part[] {
  const byUnit = new Map<string, number>();
  for (const section of sections)
    byUnit.set(section.unit[1], (byUnit.get(section.unit[1]) ?? 0) + weightOf(section.items));
  const numbers = [...byUnit.entries()].map(([unit, n]) => `${n.toLocaleString("en-US")} ${unit}`);
  return [`Not shown here, for lack of room: ${numbers.join(", ")}. See all with: certkeep report`];
}

function restParts(
  left: readonly Item[],
  leftWeight: number,
  { unit }: Section,
  alone: boolean,
): Part[] {
  const byCluster = new Map<string, number>();
  for (const { cluster, weight } of left)
    if (cluster !== null) byCluster.set(cluster, (byCluster.get(cluster) ?? 0) + weight);
  const named = [...byCluster.entries()].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const words =
    `${leftWeight.toLocaleString("en-US")} ` +
    `${alone ? (leftWeight === 1 ? unit[0] : unit[1]) : "more"}`;
  const places = named
    .slice(0, CLUSTERS_NAMED)
    .flatMap(([cluster, n], index): Part[] => [
      index === 0 ? " in " : ", ",
      { name: cluster },
      ...(named.length > 1 ? [` (${n.toLocaleString("en-US")})`] : []),
    ]);
  const others =
    named.length > CLUSTERS_NAMED ? ` and ${named.length - CLUSTERS_NAMED} more clusters` : "";
  return [alone ? words : `and ${words}`, ...places, `${others}. See all with: certkeep report`];
}
