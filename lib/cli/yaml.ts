/** A JSON document as YAML, for `-o yaml`. */
import { Document, visit } from "yaml";
import { plain, plainJson } from "../plain.ts";

/** Characters that a terminal acts on become YAML's own escapes, as in JSON. */
export function yamlOf(json: string): string {
  const document = new Document(JSON.parse(json) as unknown, { aliasDuplicateObjects: false });
  const quote = (_key: unknown, node: { value: unknown; type?: string | null }): void => {
    if (typeof node.value === "string" && plain(node.value) !== node.value)
      node.type = "QUOTE_DOUBLE";
  };
  visit(document, { Scalar: quote });
  return plainJson(document.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: 1_000_000 }));
}
