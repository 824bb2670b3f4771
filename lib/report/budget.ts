/** A budget as people are shown it: filled from what the issuance room works out. Pure data. */

export interface BudgetLevel {
  /** Names of the set, or the registered domain. */
  readonly name: string;
  readonly kind: "set" | "domain";
  /** Certificates left, by what is known: an estimate unless it is `atLeast`. */
  readonly remaining: number;
  /** Certificates left, at least; `null`: not known. */
  readonly atLeast: number | null;
  readonly capacity: number;
  /** When one more comes free, ms since the epoch; `null`: it is full. */
  readonly nextSlotMs: number | null;
  /** More was issued than the issuer's bucket stored: the times are the latest by what is known. */
  readonly overshot: boolean;
  /** When it is full again; `null`: it is. */
  readonly fullAtMs: number | null;
  /**
   * Tokens left after each change, in order of time: the last week as far as known, and the next.
   * May be empty.
   */
  readonly levels: readonly { readonly atMs: number; readonly left: number }[];
  /** Places that would use it: cluster names. */
  readonly clusters: readonly string[];
}

/** `2 of 5 left (estimate)`, and what is sure of it. */
export function levelText({ remaining, capacity, atLeast }: BudgetLevel): string {
  if (remaining <= 0) return `none of ${capacity} left`;
  const left = `${remaining} of ${capacity} left`;
  if (atLeast === null) return `${left} (estimate)`;
  return atLeast === remaining ? left : `${left} (estimate), at least ${atLeast}`;
}

const LOW: Readonly<Record<BudgetLevel["kind"], number>> = { set: 2 / 5, domain: 1 / 5 };

/** Whether so little is left that people should know: 2 of 5 of a set, a fifth of a domain's. */
export function isLow({ kind, remaining, capacity }: BudgetLevel): boolean {
  return remaining <= capacity * LOW[kind];
}

/** `■■□□□`: at most ten marks. */
export function bar(remaining: number, capacity: number): string {
  const marks = Math.max(1, Math.min(10, Math.floor(capacity)));
  const filled =
    capacity <= 0
      ? 0
      : Math.min(
          marks,
          Math.max(0, remaining <= 0 ? 0 : Math.max(1, Math.floor((remaining / capacity) * marks))),
        );
  return "■".repeat(filled) + "□".repeat(marks - filled);
}
