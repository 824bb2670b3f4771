/** Text for an HTML page. Pure. */
import { createHash } from "node:crypto";
import { calm } from "../part.ts";
import { plain } from "../../plain.ts";

/**
 * Text of a cluster or certkeep's own, for an element or a quoted attribute: markup is escaped,
 * what hides or reorders text is shown.
 */
export function html(text: string): string {
  return plain(calm(text))
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/**
 * JSON for a `<script type="application/json">`: nothing in it ends the element or begins a
 * comment.
 */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e")
    .replaceAll("&", "\\u0026")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}

/** As a Content-Security-Policy names an inline script or style (CSP Level 3 §2.3.1). */
export function cspHash(content: string): string {
  return `'sha256-${createHash("sha256").update(content, "utf8").digest("base64")}'`;
}
