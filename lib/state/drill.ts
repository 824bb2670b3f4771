/** What is remembered of the last whole drill, so that doctor can say how long ago it was. Pure; reading is total. */
import * as z from "zod/mini";

/** Name of the document in a state store. */
export const DRILL_NAME = "drill";

const drillDocument = z.looseObject({
  format: z.number(),
  /** RFC 3339. */
  at: z.string(),
  /** Copies that were looked at, and of them those that could not be opened. */
  copies: z.number(),
  unreadable: z.number(),
});
export type DrillNote = z.infer<typeof drillDocument>;

export function parseDrill(text: string): DrillNote | null {
  try {
    const parsed = z.safeParse(drillDocument, JSON.parse(text));
    return parsed.success && /^\d{4}-/.test(parsed.data.at) ? parsed.data : null;
  } catch {
    return null;
  }
}

export function formatDrill(note: Pick<DrillNote, "at" | "copies" | "unreadable">): string {
  return `${JSON.stringify({ format: 1, ...note })}\n`;
}
