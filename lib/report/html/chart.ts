/**
 * A budget's level over the last and the next week, as an SVG without script; where nothing is
 * left, it is marked. Pure.
 */
import type { BudgetLevel } from "../budgets.ts";
import { html } from "./escape.ts";

const WEEK_MS = 7 * 86_400_000;
const WIDTH = 336;
const HEIGHT = 96;
const TOP = 8;
const BOTTOM = 72;

interface Point {
  readonly atMs: number;
  readonly left: number;
}

/** `aria-hidden`: the text next to it says the same. */
export function levelChart(budget: BudgetLevel, nowMs: number): string {
  const start = nowMs - WEEK_MS;
  const end = nowMs + WEEK_MS;
  const x = (atMs: number): number =>
    round(
      (WIDTH * (Math.min(Math.max(Number.isNaN(atMs) ? end : atMs, start), end) - start)) /
        (end - start),
    );
  const y = (left: number): number =>
    round(
      BOTTOM - ((BOTTOM - TOP) * Math.min(Math.max(left, 0), budget.capacity)) / budget.capacity,
    );
  const past = [
    ...budget.levels.filter(
      ({ atMs, left }) =>
        Number.isFinite(atMs) && Number.isFinite(left) && atMs >= start && atMs <= nowMs,
    ),
    { atMs: nowMs, left: budget.remaining },
  ];
  const coming = comingOf(budget, nowMs, end);
  const steps = (points: readonly Point[]): string =>
    points
      .map(({ atMs, left }, index) =>
        index === 0 ? `M${x(atMs)} ${y(left)}` : `H${x(atMs)}V${y(left)}`,
      )
      .join("");
  const locked =
    budget.remaining <= 0
      ? {
          from:
            past.find((_, index) => past.slice(index).every(({ left }) => left <= 0))?.atMs ??
            nowMs,
          to: budget.nextSlotMs ?? end,
        }
      : null;
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true" focusable="false">`,
    locked === null
      ? ""
      : `<rect class="locked" x="${x(locked.from)}" y="${TOP}" ` +
        `width="${Math.max(2, round(x(locked.to) - x(locked.from)))}" ` +
        `height="${BOTTOM - TOP}"/><text class="lockedtext" ` +
        `x="${Math.min(x(locked.from) + 4, WIDTH - 70)}" y="${TOP + 12}">none left</text>`,
    `<line class="axis" x1="0" x2="${WIDTH}" y1="${BOTTOM}" y2="${BOTTOM}"/><line ` +
      `class="axis" x1="0" x2="${WIDTH}" y1="${TOP}" y2="${TOP}"/>`,
    `<path class="level" d="${steps(past)}"/><path class="coming" d="${steps(coming)}"/>`,
    `<line class="nowline" x1="${x(nowMs)}" x2="${x(nowMs)}" y1="${TOP}" y2="${BOTTOM}"/>`,
    `<text x="0" y="88">a week ago</text><text x="${WIDTH / 2}" y="88" ` +
      `text-anchor="middle">now</text><text x="${WIDTH}" y="88" text-anchor="end">in a ` +
      "week</text>",
    `<text x="${WIDTH}" y="${TOP - 1}" text-anchor="end">${html(String(budget.capacity))}</text>`,
    "</svg>",
  ].join("");
}

/** One more at each step from the next slot until it is full. */
function comingOf(
  { remaining, capacity, nextSlotMs, fullAtMs }: BudgetLevel,
  nowMs: number,
  endMs: number,
): Point[] {
  const points: Point[] = [{ atMs: nowMs, left: remaining }];
  if (nextSlotMs !== null && Number.isFinite(nextSlotMs)) {
    const missing = Math.max(1, Math.min(200, capacity - remaining));
    const stepMs =
      fullAtMs === null || !Number.isFinite(fullAtMs) || missing === 1
        ? 0
        : Math.max(0, (fullAtMs - nextSlotMs) / (missing - 1));
    for (let i = 0; i < missing; i += 1) {
      const atMs = nextSlotMs + i * stepMs;
      if (atMs > endMs) break;
      points.push({ atMs, left: remaining + i + 1 });
    }
  }
  const last = points.at(-1);
  return last === undefined ? points : [...points, { atMs: endMs, left: last.left }];
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}
