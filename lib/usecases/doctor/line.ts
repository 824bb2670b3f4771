/** Makes the doctor's lines, and the exit codes that they ask for. Pure. */
import type { Action } from "../../finding/action.ts";
import type { DoctorLine, Level } from "../../report/doctor.ts";
import type { Observed } from "../../report/phrases/doctor.ts";
import { type CertkeepError, ERROR_CODES, type ErrorCode } from "../../error.ts";

interface Rest {
  readonly cluster?: string | null;
  readonly action?: Action | null;
  readonly code?: ErrorCode | null;
}

export function line(
  id: string,
  level: Level,
  observed: Observed,
  { cluster = null, action = null, code = null }: Rest = {},
): DoctorLine {
  return { id, level, cluster, observed, action: level === "pass" ? null : action, code };
}

/** An error as a line; what to do is part of its text. */
export function failed(
  id: string,
  error: CertkeepError,
  rest: Omit<Rest, "code"> & { readonly level?: Level } = {},
): DoctorLine {
  const observed = { seen: "error", message: error.message } as const;
  return line(id, rest.level ?? "fail", observed, { ...rest, code: error.code });
}

/**
 * 0 all is right (warnings included), 1 something isn't, 2 the configuration isn't, 3 something
 * could not be looked at.
 */
export function doctorExits(lines: readonly DoctorLine[]): (0 | 1 | 2 | 3)[] {
  return lines
    .filter(({ level }) => level === "fail")
    .map(({ code }) => (code === null ? 1 : ERROR_CODES[code]));
}
