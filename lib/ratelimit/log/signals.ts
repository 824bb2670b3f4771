/**
 * Signals of one container's log, lines of a kind counted together; of more kinds than there is
 * room for it is told how many lines.
 */
import type { LogSignal } from "../../state/signals.ts";
import { sampleOf } from "./line.ts";
import type { Said } from "./understand.ts";

export const MAX_SIGNALS = 500;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function keyOf({ kind, code, domain }: Said): string {
  return JSON.stringify([kind, code, domain]);
}

export class LogSignals {
  readonly #where: string;
  readonly #countAfterMs: number;
  readonly #signals = new Map<string, Mutable<LogSignal>>();
  #more = 0;

  /** `countAfterMs`: lines up to then were counted by an earlier read. */
  constructor(where: string, countAfterMs: number) {
    this.#where = where;
    this.#countAfterMs = countAfterMs;
  }

  /** `sample`: the line's text as it came. */
  add(said: Said, atMs: number, sample: string): void {
    this.#add(said, atMs, 1, sample);
  }

  /** Lines that were counted and not written: the one that was written shows what they say. */
  addHeldBack(said: Said, atMs: number, count: number, notice: string): void {
    const known = this.#signals.get(keyOf(said));
    this.#add(said, atMs, count, known?.sample ?? notice);
  }

  #add(said: Said, atMs: number, count: number, sample: string): void {
    const { kind, code, domain } = said;
    if (atMs <= this.#countAfterMs) return;
    const key = keyOf(said);
    const known = this.#signals.get(key);
    if (known !== undefined) {
      known.firstMs = Math.min(known.firstMs, atMs);
      known.count = Math.min(known.count + count, Number.MAX_SAFE_INTEGER);
      if (atMs >= known.lastMs) [known.lastMs, known.sample] = [atMs, sample];
      return;
    }
    if (this.#signals.size >= MAX_SIGNALS) this.#more += 1;
    else
      this.#signals.set(key, {
        kind,
        code,
        domain,
        where: this.#where,
        firstMs: atMs,
        lastMs: atMs,
        count,
        sample,
      });
  }

  /** Samples are redacted here, once each. */
  kept(): { readonly signals: readonly LogSignal[]; readonly more: number } {
    return {
      signals: [...this.#signals.values()].map((signal) => ({
        ...signal,
        sample: sampleOf(signal.sample),
      })),
      more: this.#more,
    };
  }
}
