/**
 * A table for a terminal: columns as wide as they need, the widest cut so that it fits; two spaces
 * between, no lines. Pure.
 */
import stringWidth from "string-width";
import { plain } from "../plain.ts";
import { cut, pad } from "./text.ts";

export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number,
  indent = "",
): string[] {
  const clean = [head, ...rows].map((row) => row.map(plain));
  const widths = head.map((_, column) =>
    Math.max(...clean.map((row) => stringWidth(row[column] ?? ""))),
  );
  const room = width - stringWidth(indent) - 2 * (head.length - 1);
  while (widths.reduce((sum, one) => sum + one, 0) > room) {
    const widest = widths.indexOf(Math.max(...widths));
    if ((widths[widest] ?? 0) <= 6) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return clean.map((row) =>
    (
      indent +
      row.map((cell, column) => pad(cut(cell, widths[column] ?? 6), widths[column] ?? 6)).join("  ")
    ).trimEnd(),
  );
}
