/** Colour where the terminal has it: NO_COLOR and --no-color switch it off, FORCE_COLOR on. */
import pc from "picocolors";
import type { Io } from "./io.ts";

export type Colours = ReturnType<typeof pc.createColors>;

export function colours(io: Io, wanted: boolean): Colours {
  const off = !wanted || (io.env["NO_COLOR"] ?? "") !== "" || io.env["TERM"] === "dumb";
  const forced = (io.env["FORCE_COLOR"] ?? "") !== "" && io.env["FORCE_COLOR"] !== "0";
  return pc.createColors(!off && (io.outTty || forced));
}
