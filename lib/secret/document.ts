/**
 * Secrets out of the text that `kubectl get secret -o yaml` and `-o json` print: one object,
 * several documents, or a List. Total: whatever the text is, the answer says what was found.
 * Messages never quote the text, since it holds private keys.
 */
import { Composer, LineCounter } from "yaml";
import { tokensOf, type TokenLimits } from "../config/tokens.ts";
import { isReadAnnotation, type Secret } from "./secret.ts";
import { OPAQUE_TYPE } from "./shapes.ts";

export type DocumentReading =
  /** Not a manifest at all. */
  | { readonly kind: "none" }
  /** Meant as a manifest, but not to be read. */
  | {
      readonly kind: "broken";
      readonly line: number;
      readonly column: number;
      readonly found: string;
    }
  /** `others`: objects that are no Secrets. */
  | { readonly kind: "secrets"; readonly secrets: readonly Secret[]; readonly others: number };

/**
 * A manifest of Kubernetes goes about ten deep, and one of ten thousand Secrets has a million
 * signs.
 */
const LIMITS: TokenLimits = { depth: 100, signs: 2_000_000 };

/** What kubectl takes for true (YAML 1.1). */
const TRUE = /^(?:y|yes|on|true|Y|Yes|YES|On|ON|True|TRUE)$/;

const MANIFEST = /^(?:- )?(?:apiVersion|kind|metadata|items|data|stringData) *:/m;

/** Reads every Secret in `text`. */
export function parseSecrets(input: string): DocumentReading {
  const text = input.startsWith("\ufeff") ? input.slice(1) : input;
  const json = /^\s*[{[]/.test(text);
  if (!json && !MANIFEST.test(text)) return { kind: "none" };
  if (json) {
    try {
      return collect([JSON.parse(text) as unknown]);
    } catch {
      // Flow style of YAML, perhaps.
    }
  }
  return parseYaml(text);
}

function parseYaml(text: string): DocumentReading {
  const lines = new LineCounter();
  const broken = (offset: number, found: string): DocumentReading => {
    const { line, col } = lines.linePos(Math.min(Math.max(offset, 0), text.length));
    return { kind: "broken", line: Math.max(line, 1), column: Math.max(col, 1), found };
  };
  try {
    const read = tokensOf(text, LIMITS, lines);
    if (!read.ok) return broken(read.offset, read.found);
    const objects: unknown[] = [];
    // Failsafe: a value such as 1234 or true is text, as it stands there.
    const composer = new Composer({
      prettyErrors: false,
      schema: "failsafe",
      logLevel: "silent",
    });
    for (const document of composer.compose(read.tokens, false, text.length)) {
      const fault = document.errors[0];
      if (fault !== undefined) return broken(fault.pos[0], "text that YAML doesn't allow here");
      objects.push(document.toJS({ maxAliasCount: 100 }));
    }
    return collect(objects);
  } catch {
    return broken(0, "YAML that can't be read");
  }
}

type Fields = Readonly<Record<string, unknown>>;

function collect(objects: readonly unknown[]): DocumentReading {
  const secrets: Secret[] = [];
  let others = 0;
  const queue: { readonly value: unknown; readonly kind: string | null }[] = objects.map(
    (value) => ({ value, kind: null }),
  );
  for (const { value, kind: listed } of queue) {
    if (Array.isArray(value)) {
      for (const item of value as readonly unknown[]) queue.push({ value: item, kind: listed });
      continue;
    }
    if (!isFields(value)) continue;
    const kind = textOf(value["kind"]) || listed;
    const { items } = value;
    if (Array.isArray(items) && (kind === null || kind.endsWith("List"))) {
      const of = kind === "SecretList" ? "Secret" : null;
      for (const item of items as readonly unknown[]) queue.push({ value: item, kind: of });
    } else if (kind === "Secret") {
      secrets.push(secretOf(value));
    } else if (kind !== null) {
      others += 1;
    }
  }
  return secrets.length === 0 && others === 0 && !objects.some(isList)
    ? { kind: "none" }
    : { kind: "secrets", secrets, others };
}

function isList(value: unknown): boolean {
  return isFields(value) && Array.isArray(value["items"]);
}

function secretOf(value: Fields): Secret {
  const meta = isFields(value["metadata"]) ? value["metadata"] : {};
  const data: Record<string, string> = {};
  for (const [field, one] of Object.entries(strings(value["data"]))) define(data, field, one);
  // The API server writes stringData over data.
  for (const [field, one] of Object.entries(strings(value["stringData"])))
    define(data, field, Buffer.from(one, "utf8").toString("base64"));
  const annotations = strings(meta["annotations"]);
  return {
    namespace: textOf(meta["namespace"]),
    name: textOf(meta["name"]),
    uid: textOf(meta["uid"]),
    resourceVersion: textOf(meta["resourceVersion"]),
    type: textOf(value["type"]) || OPAQUE_TYPE,
    dataKeys: Object.keys(data).toSorted(),
    labels: strings(meta["labels"]),
    annotations: Object.fromEntries(
      Object.entries(annotations).filter(([key]) => isReadAnnotation(key)),
    ),
    owners: [],
    createdAt: null,
    deletedAt: null,
    data,
    immutable: value["immutable"] === true || TRUE.test(textOf(value["immutable"])),
    unreadAnnotations: Object.keys(annotations).filter((key) => !isReadAnnotation(key)),
    finalizers: [],
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function strings(value: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  if (!isFields(value)) return found;
  for (const [key, one] of Object.entries(value))
    if (typeof one === "string") define(found, key, one);
  return found;
}

/** A field may be called `__proto__`. */
function define(record: Record<string, string>, key: string, value: string): void {
  Object.defineProperty(record, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
