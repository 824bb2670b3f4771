/**
 * The plaintext of a copy: a Kubernetes Secret manifest in JSON, which `kubectl apply` takes as it
 * is. It holds only what lib/secret allows for the shape, plus the header (less recipients and
 * digest) as the annotation `certkeep.dev/header`, which certkeep itself never applies.
 *
 * Whoever may write to a store can seal for its recipients, so what was opened is untrusted: it
 * passes the same allowlist as extraction, member by member (no `stringData`, no `immutable`, no
 * owner, no other kind), its two headers have to agree, and its version is worked out again.
 * Whether the certificate is good, and whether an audit recorded this copy, is for others to say.
 */
import {
  allowedFields,
  isAllowedLabel,
  isKeptAnnotation,
  isLabelValue,
  MAX_LABELS,
} from "../secret/allowlist.ts";
import { decodeBase64 } from "../encoding.ts";
import { isShape, OPAQUE_TYPE, type Shape, TLS_TYPE } from "../secret/shapes.ts";
import {
  asObject,
  type BackupHeader,
  type BackupRecord,
  type CopyFacts,
  type CopyProblem,
  type CopyProblemCode,
  describe,
  describeKind,
  factsOf,
  ownValue,
  parseFacts,
} from "./record.ts";
import { HEADER_ANNOTATION, versionOf } from "./draft.ts";
import { jsonOf } from "../untrusted.ts";

/**
 * Syntax of names in Kubernetes (RFC 1123): a label, and a subdomain made of them. A name becomes
 * part of a request's path.
 */
const NAME_SYNTAX = {
  namespace: /^(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/,
  name: /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
} as const;

export type ParsedManifest =
  | { readonly ok: true; readonly record: BackupRecord }
  | { readonly ok: false; readonly problems: readonly CopyProblem[] };

type Report = (code: CopyProblemCode, place: string, found: string, expected: string) => void;

function onlyMembers(
  object: Readonly<Record<string, unknown>>,
  place: string,
  allowed: readonly string[],
  report: Report,
): void {
  for (const key of Object.keys(object)) {
    if (!allowed.includes(key))
      report(
        "field_not_allowed",
        place,
        `the member ${describe(key)}`,
        `only ${allowed.join(", ")}`,
      );
  }
}

/** The texts of an object, each passed by `judge`, which says what is wrong or gives `null`. */
function readTexts(
  raw: unknown,
  place: string,
  judge: (
    key: string,
    value: string,
  ) => readonly [code: CopyProblemCode, found: string, expected: string] | null,
  report: Report,
): Record<string, string> {
  const texts: Record<string, string> = {};
  const object = asObject(raw);
  if (object === null) {
    report("value_invalid", place, describeKind(raw), "an object");
    return texts;
  }
  for (const [key, value] of Object.entries(object)) {
    if (typeof value !== "string") {
      report("value_invalid", place, `${describe(key)} with ${describeKind(value)}`, "text");
      continue;
    }
    const wrong = judge(key, value);
    if (wrong !== null) report(wrong[0], place, wrong[1], wrong[2]);
    else texts[key] = value;
  }
  return texts;
}

function readMetadata(
  raw: unknown,
  shape: Shape,
  outer: CopyFacts,
  report: Report,
): Pick<BackupRecord, "labels" | "annotations"> {
  const metadata = asObject(raw);
  if (metadata === null) {
    report("not_a_manifest", "metadata", describeKind(raw), "an object");
    return { labels: {}, annotations: {} };
  }
  onlyMembers(metadata, "metadata", ["namespace", "name", "labels", "annotations"], report);
  checkPlace(metadata, outer, report);
  const labels = readLabels(ownValue(metadata, "labels") ?? {}, shape, report);
  const { [HEADER_ANNOTATION]: inner, ...annotations } = readTexts(
    ownValue(metadata, "annotations") ?? {},
    "metadata.annotations",
    (key, value) =>
      key === HEADER_ANNOTATION || isKeptAnnotation(shape, key, value)
        ? null
        : [
            "annotation_not_allowed",
            `the annotation ${describe(key)}`,
            "annotations by which a controller adopts the Secret",
          ],
    report,
  );
  compareHeaders(inner, outer, report);
  return { labels, annotations };
}

function checkPlace(
  metadata: Readonly<Record<string, unknown>>,
  outer: CopyFacts,
  report: Report,
): void {
  for (const [member, wanted] of [
    ["namespace", outer.namespace],
    ["name", outer.secret],
  ] as const) {
    const place = `metadata.${member}`;
    const found = describe(ownValue(metadata, member));
    if (ownValue(metadata, member) !== wanted)
      report("place_mismatch", place, found, `${describe(wanted)} as in the header`);
    else if (!NAME_SYNTAX[member].test(wanted))
      report("value_invalid", place, found, "a name that Kubernetes allows");
  }
}

function readLabels(raw: unknown, shape: Shape, report: Report): Record<string, string> {
  const place = "metadata.labels";
  const labels = readTexts(
    raw,
    place,
    (key, value) =>
      isAllowedLabel(shape, key) && isLabelValue(value)
        ? null
        : [
            "label_not_allowed",
            `the label ${describe(key)}`,
            "labels by which a controller adopts the Secret",
          ],
    report,
  );
  const count = Object.keys(labels).length;
  if (count > MAX_LABELS)
    report("label_not_allowed", place, `${count} labels`, `at most ${MAX_LABELS}`);
  return labels;
}

function compareHeaders(inner: string | undefined, outer: CopyFacts, report: Report): void {
  const place = `metadata.annotations["${HEADER_ANNOTATION}"]`;
  const facts = parseFacts(jsonOf(inner ?? ""), place);
  if (!facts.ok) {
    report("headers_differ", facts.problem.place, facts.problem.found, facts.problem.expected);
    return;
  }
  const wanted = factsOf(outer);
  for (const key of Object.keys(wanted) as (keyof CopyFacts)[]) {
    if (JSON.stringify(facts.value[key]) !== JSON.stringify(wanted[key])) {
      report(
        "headers_differ",
        `${place}.${key}`,
        describe(facts.value[key]),
        `${describe(wanted[key])} as in the document's header`,
      );
    }
  }
}

/**
 * Reads what was opened. `outer` is the header of the document it came from, `version` the name
 * that the document lies under. Total: every input gives a record or all that is wrong with it.
 */
export function parseManifest(
  plaintext: Uint8Array,
  outer: BackupHeader,
  version: string,
): ParsedManifest {
  const problems: CopyProblem[] = [];
  const report: Report = (code, place, found, expected) =>
    problems.push({ code, place, found, expected });
  const root = readRoot(plaintext, report);
  if (root !== null && !isShape(outer.shape))
    report(
      "header_invalid",
      "header.shape",
      describe(outer.shape),
      "a shape that this version knows",
    );
  if (root === null || !isShape(outer.shape)) return { ok: false, problems };
  onlyMembers(root, "the content", ["apiVersion", "kind", "metadata", "type", "data"], report);
  const type = ownValue(root, "type");
  if (type !== OPAQUE_TYPE && type !== TLS_TYPE)
    report("type_not_allowed", "type", describe(type), `${OPAQUE_TYPE} or ${TLS_TYPE}`);
  const metadata = readMetadata(ownValue(root, "metadata"), outer.shape, outer, report);
  const fields = allowedFields(outer.shape, outer.fieldBase, outer.kind);
  const record: BackupRecord = {
    header: factsOf(outer),
    type: typeof type === "string" ? type : "",
    ...metadata,
    data: readData(ownValue(root, "data"), fields, report),
  };
  if (problems.length > 0) return { ok: false, problems };
  const actual = versionOf(record, outer.recipients);
  if (actual === version) return { ok: true, record };
  report(
    "version_mismatch",
    "the content",
    `version ${actual}`,
    `version ${describe(version)}, which it lies under`,
  );
  return { ok: false, problems };
}

function readRoot(plaintext: Uint8Array, report: Report): Readonly<Record<string, unknown>> | null {
  const root = parseJson(plaintext);
  if (root === null) {
    const found = `${plaintext.length} bytes that are no JSON object`;
    report("not_a_manifest", "the content", found, "a Secret manifest");
    return null;
  }
  const apiVersion = ownValue(root, "apiVersion");
  const kind = ownValue(root, "kind");
  if (apiVersion === "v1" && kind === "Secret") return root;
  const found = `${describe(kind)} of ${describe(apiVersion)}`;
  report("kind_not_allowed", "kind", found, '"Secret" of "v1"');
  return null;
}

function readData(
  raw: unknown,
  fields: ReadonlySet<string>,
  report: Report,
): Record<string, string> {
  const names = [...fields].join(", ") || "none";
  const data = readTexts(
    raw,
    "data",
    (field, value) => {
      if (!fields.has(field))
        return ["field_not_allowed", `the field ${describe(field)}`, `only ${names}`];
      return decodeBase64(value) === null
        ? ["value_invalid", `${describe(field)} with text that isn't base64`, "base64"]
        : null;
    },
    report,
  );
  if (Object.keys(data).length === 0)
    report("value_invalid", "data", "no field", `some of ${names}`);
  return data;
}

function parseJson(plaintext: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    return asObject(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(plaintext)));
  } catch {
    return null;
  }
}
