/**
 * Certificates that a log says were issued: of each name the newest, as more change nothing; what
 * is beyond is counted.
 */

/** One certificate that the log says was issued. */
export interface IssuedLine {
  readonly domain: string;
  readonly atMs: number;
  /**
   * The instant as it was written, with a number where one line stands for several: the same line
   * gives the same.
   */
  readonly mark: string;
}

const MAX_NAMES = 1_000;
/** Issuances kept of one name: ten times what any limit gives a week. */
export const MAX_OF_NAME = 50;
const MAX_ISSUED = 2_000;

export class IssuedLines {
  readonly #byName = new Map<string, IssuedLine[]>();
  readonly #marks = new Map<string, number>();
  #beyond = 0;

  /** `instant`: the time as the line has it, or empty. */
  add(domain: string, atMs: number, instant: string, suffix = ""): void {
    const list = this.#byName.get(domain) ?? [];
    if (list.length === 0) {
      if (this.#byName.size >= MAX_NAMES) {
        this.#beyond += 1;
        return;
      }
      this.#byName.set(domain, list);
    }
    // Two lines of one name at one instant are told apart by their order.
    const base = `${domain} ${instant === "" ? atMs : instant}${suffix}`;
    const nth = this.#marks.get(base) ?? 0;
    if (this.#marks.size < MAX_NAMES * MAX_OF_NAME) this.#marks.set(base, nth + 1);
    list.push({ domain, atMs, mark: nth === 0 ? base : `${base} ${nth}` });
    if (list.length > 2 * MAX_OF_NAME) list.splice(0, list.length - MAX_OF_NAME);
  }

  /** `beyond`: certificates for which there were too many names or lines. */
  kept(): { readonly lines: readonly IssuedLine[]; readonly beyond: number } {
    const all = [...this.#byName.values()].flatMap((list) => list.slice(-MAX_OF_NAME));
    const lines =
      all.length <= MAX_ISSUED
        ? all
        : all
            .toSorted((a, b) => b.atMs - a.atMs || (a.mark < b.mark ? -1 : 1))
            .slice(0, MAX_ISSUED);
    return { lines, beyond: this.#beyond + all.length - lines.length };
  }
}
