/** A line of the doctor's: what was looked at, how it is, and the action that fixes it. Pure. */
import type { Action } from "../../finding/action.ts";
import type { Observed } from "../../report/phrases/doctor.ts";
import { CertkeepError, ERROR_CODES, type ErrorCode } from "../../error.ts";

export type Level = "pass" | "warn" | "fail";

export interface Line {
  /** What was looked at; stable. */
  readonly id: string;
  readonly level: Level;
  /** `null`: the set-up as a whole. */
  readonly cluster: string | null;
  readonly observed: Observed;
  /** What fixes it, or `null` where no command does. */
  readonly action: Action | null;
  /** Of the error behind it, or `null`. */
  readonly code: ErrorCode | null;
}

interface Rest {
  readonly cluster?: string | null;
  readonly action?: Action | null;
  readonly code?: ErrorCode | null;
}

export function line(id: string, level: Level, observed: Observed, rest: Rest = {}): Line {
  return {
    id,
    level,
    cluster: rest.cluster ?? null,
    observed,
    action: level === "pass" ? null : (rest.action ?? null),
    code: rest.code ?? null,
  };
}

/** An error as a line; what to do is part of its text. */
export function failed(
  id: string,
  error: CertkeepError,
  rest: Omit<Rest, "code"> & { readonly level?: Level } = {},
): Line {
  return line(
    id,
    rest.level ?? "fail",
    { seen: "error", message: error.message },
    { ...rest, code: error.code },
  );
}

/**
 * 0 all is right (warnings included), 1 something isn't, 2 the configuration isn't, 3 something
 * could not be looked at.
 */
export function doctorExits(lines: readonly Line[]): (0 | 1 | 2 | 3)[] {
  return lines
    .filter(({ level }) => level === "fail")
    .map(({ code }) => (code === null ? 1 : ERROR_CODES[code]));
}
