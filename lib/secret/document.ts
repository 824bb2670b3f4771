/**
 * Secrets out of the text that `kubectl get secret -o yaml` and `-o json` print: one object,
 * several documents, or a List. Total: whatever the text is, the answer says what was found.
 * Messages never quote the text, since it holds private keys.
 */
import { Composer, LineCounter } from "yaml";
import { tokensOf, type TokenLimits } from "../config/tokens.ts";
import { isReadAnnotation, type Secret } from "./secret.ts";
import { OPAQUE_TYPE } from "./shapes.ts";
import { type Fields, fieldsOf, isRecord, jsonOf, textOf, textsOf } from "../untrusted.ts";

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
  const value = json ? jsonOf(text) : undefined;
  // What begins as JSON and isn't may be YAML's flow style.
  return value === undefined ? parseYaml(text) : collect([value]);
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
    if (!isRecord(value)) continue;
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
  return isRecord(value) && Array.isArray(value["items"]);
}

function secretOf(value: Fields): Secret {
  const meta = fieldsOf(value["metadata"]);
  const text = (of: unknown): string => textOf(of) ?? "";
  // The API server writes stringData over data.
  const data = Object.fromEntries([
    ...Object.entries(textsOf(value["data"])),
    ...Object.entries(textsOf(value["stringData"])).map(
      ([field, one]) => [field, Buffer.from(one, "utf8").toString("base64")] as const,
    ),
  ]);
  return {
    namespace: text(meta["namespace"]),
    name: text(meta["name"]),
    uid: text(meta["uid"]),
    resourceVersion: text(meta["resourceVersion"]),
    type: textOf(value["type"]) || OPAQUE_TYPE,
    dataKeys: Object.keys(data).toSorted(),
    labels: textsOf(meta["labels"]),
    annotations: textsOf(meta["annotations"], isReadAnnotation),
    owners: [],
    createdAt: null,
    deletedAt: null,
    data,
    immutable: value["immutable"] === true || TRUE.test(text(value["immutable"])),
    unreadAnnotations: Object.keys(textsOf(meta["annotations"], (key) => !isReadAnnotation(key))),
    finalizers: [],
  };
}
