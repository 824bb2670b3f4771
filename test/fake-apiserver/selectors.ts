/**
 * Label and field selectors: `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`, joined
 * by commas; of fields only equality, over `metadata.name`, `metadata.namespace` and what a kind
 * adds.
 */
import type { StoredObject } from "./objects.ts";
import { badRequest } from "./status.ts";

type Test = (object: StoredObject) => boolean;

/** Splits at commas outside of brackets. */
function clauses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "(") depth += 1;
    else if (text[at] === ")") depth -= 1;
    else if (text[at] === "," && depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts.map((part) => part.trim());
}

const key = "[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?";
const value = "(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?";
const exists = new RegExp(`^(!?)\\s*(${key})$`, "u");
const equals = new RegExp(`^(${key})\\s*(==|=|!=)\\s*(${value})$`, "u");
const among = new RegExp(`^(${key})\\s+(in|notin)\\s*\\(([^()]*)\\)$`, "u");

function labelTest(clause: string): Test {
  const set = among.exec(clause);
  if (set !== null) {
    const [, name = "", operator, list = ""] = set;
    const wanted = new Set(list.split(",").map((item) => item.trim()));
    // As in Kubernetes, an object without the label is not in any set, and so `notin` takes it.
    return (object) => {
      const found = object.metadata.labels?.[name];
      return operator === "in"
        ? found !== undefined && wanted.has(found)
        : found === undefined || !wanted.has(found);
    };
  }
  const equality = equals.exec(clause);
  if (equality !== null) {
    const [, name = "", operator, wanted] = equality;
    return operator === "!="
      ? (object) => object.metadata.labels?.[name] !== wanted
      : (object) => object.metadata.labels?.[name] === wanted;
  }
  const presence = exists.exec(clause);
  if (presence !== null) {
    const [, not, name = ""] = presence;
    return (object) => (object.metadata.labels?.[name] !== undefined) !== (not === "!");
  }
  const unfinished = /\s(?:in|notin)\s+(\S+)/u.exec(clause);
  if (unfinished !== null)
    throw badRequest(`unable to parse requirement: found '${unfinished[1] ?? ""}' expected: '('`);
  throw badRequest(`unable to parse requirement: found '${clause}', expected: identifier`);
}

/** Fields by which a kind can be selected, beside name and namespace. */
const fieldsOfKind: Readonly<Record<string, readonly string[]>> = {
  Secret: ["type"],
  Namespace: ["status.phase"],
  Pod: ["spec.nodeName", "status.phase", "spec.serviceAccountName"],
  Event: [
    "type",
    "reason",
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
  ],
};

function valueAt(object: StoredObject, path: string): string {
  let at: unknown = object;
  for (const part of path.split("."))
    at = typeof at === "object" && at !== null ? (at as Record<string, unknown>)[part] : undefined;
  return typeof at === "string" ? at : "";
}

function fieldTest(clause: string, kind: string): Test {
  const parts = /^([^=!]+)(==|=|!=)(.*)$/u.exec(clause);
  if (parts === null)
    throw badRequest(`invalid selector: '${clause}'; can't understand '${clause}'`);
  const [, path = "", operator, wanted] = parts;
  if (
    path !== "metadata.name" &&
    path !== "metadata.namespace" &&
    !(fieldsOfKind[kind] ?? []).includes(path)
  ) {
    throw badRequest(`field label not supported: ${path}`);
  }
  return (object) => (valueAt(object, path) === wanted) === (operator !== "!=");
}

/** The test for both selectors of a request, or null where they select everything. */
export function parseSelectors(
  labels: string | null,
  fields: string | null,
  kind: string,
): Test | null {
  const tests: Test[] = [];
  if (labels !== null && labels.trim() !== "") tests.push(...clauses(labels).map(labelTest));
  if (fields !== null && fields.trim() !== "")
    tests.push(...clauses(fields).map((clause) => fieldTest(clause, kind)));
  return tests.length === 0 ? null : (object) => tests.every((test) => test(object));
}
