/**
 * Adds settings to an existing `certkeep.yaml` by inserting text, so that every comment, blank line
 * and quote of its author stays as it is. What can't be done so is refused, never rewritten.
 */
import { isMap, isScalar, isSeq, parseDocument, stringify, type Node } from "yaml";
import { parseConfig } from "./parse.ts";
import { yamlText } from "./template.ts";

export interface Addition {
  readonly recipients: readonly string[];
  /** Added only where the file has none. */
  readonly identity: string | null;
}

/**
 * `text` with the recipients, or `null` where it isn't a configuration, has recipients already, or
 * is written so that a line can't be inserted safely.
 */
export function addSettings(text: string, addition: Addition): string | null {
  const before = parseConfig(text, "");
  if (!before.ok || before.config.recipients.length > 0 || addition.recipients.length === 0)
    return null;
  const after = insert(text, {
    ...addition,
    identity: before.config.identity === null ? addition.identity : null,
  });
  const result = after === null ? null : parseConfig(after, "");
  if (after === null || result === null || !result.ok) return null;
  const wanted = {
    ...before.config,
    recipients: addition.recipients,
    identity: before.config.identity ?? addition.identity,
  };
  return sameData(result.config, wanted) ? after : null;
}

export interface CloudAddition {
  readonly region: string;
  readonly stage: string;
  /** Added only where the file has no route. */
  readonly route: { readonly name: string; readonly webhook: string } | null;
}

/**
 * `text` with `aws:` and a route of the digest, each where it has none, and unchanged where it has
 * both; `null` as for `addSettings`.
 */
export function addCloud(text: string, { region, stage, route }: CloudAddition): string | null {
  const before = parseConfig(text, "");
  if (!before.ok) return null;
  const { aws, digest } = before.config;
  let after: string | null = text;
  if (aws === null)
    after = insertSection(after, "aws", [
      `aws:`,
      `  region: ${yamlText(region)}`,
      `  stage: ${yamlText(stage)}`,
    ]);
  const routed = route !== null && digest.routes.length === 0;
  if (routed && after !== null)
    after = insertSection(after, "digest", [
      "digest:",
      "  routes:",
      `    - name: ${yamlText(route.name)}`,
      `      webhook: ${yamlText(route.webhook)}`,
    ]);
  const result = after === null ? null : parseConfig(after, "");
  if (after === null || result === null || !result.ok) return null;
  const wanted = {
    ...before.config,
    aws: aws ?? { region, stage, topic: null, restoreFunction: null },
    digest: routed
      ? { ...digest, routes: [{ ...route, clusters: null, severity: "info" }] }
      : digest,
  };
  return sameData(result.config, wanted) ? after : null;
}

/** `text` with clusters, where it has none; `null` as for `addSettings`. */
export function addClusters(
  text: string,
  clusters: readonly { readonly name: string; readonly context: string }[],
): string | null {
  const before = parseConfig(text, "");
  if (!before.ok || before.config.clusters.length > 0) return null;
  const after = insertSection(text, "clusters", [
    "clusters:",
    ...clusters.flatMap(({ name, context }) => [
      `  - name: ${yamlText(name)}`,
      `    context: ${yamlText(context)}`,
    ]),
  ]);
  const result = after === null ? null : parseConfig(after, "");
  if (after === null || result === null || !result.ok) return null;
  const others = { ...result.config, clusters: [] };
  const isAdded = result.config.clusters.length === clusters.length;
  return isAdded && sameData(others, before.config) ? after : null;
}

export interface RemovedCluster {
  /** The file without the entry. */
  readonly text: string;
  /** The entry's settings, but for its name and how the cluster is reached. */
  readonly settings: string;
}

/** Takes a cluster's entry out of `text`; `null` where that can't be done safely. */
export function removeCluster(text: string, name: string): RemovedCluster | null {
  const before = parseConfig(text, "");
  const { contents } = parseDocument<Node, false>(text, {
    prettyErrors: false,
    logLevel: "silent",
  });
  if (!before.ok || !isMap(contents)) return null;
  const pair = contents.items.find(({ key }) => isScalar(key) && key.value === "clusters");
  const list = pair?.value;
  if (pair === undefined || !isSeq(list) || list.flow === true) return null;
  const entry = list.items.find((item) => isMap(item) && item.get("name") === name);
  if (!isMap(entry) || entry.range == null) return null;
  const isOnly = list.items.length === 1;
  const next = list.items[list.items.indexOf(entry) + 1];
  const start = lineStart(text, isOnly ? offsetOf(pair) : entry.range[0]);
  const end = isMap(next) && next.range != null ? lineStart(text, next.range[0]) : entry.range[2];
  const after = text.slice(0, start) + text.slice(end);
  const result = parseConfig(after, "");
  const clusters = before.config.clusters.filter((cluster) => cluster.name !== name);
  if (!result.ok || !sameData(result.config, { ...before.config, clusters })) return null;
  for (const key of ["name", "kubeconfig", "context", "restoreKubeconfig"]) entry.delete(key);
  const settings: unknown = entry.toJSON();
  return { text: after, settings: stringify(settings, { lineWidth: 0 }) };
}

/**
 * The section within its like where the file has one, in the place of its example where the file is
 * as init wrote it, else at the end.
 */
function insertSection(text: string, key: string, lines: readonly string[]): string | null {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const body = text.startsWith("\ufeff") ? text.slice(1) : text;
  const bom = text.slice(0, text.length - body.length);
  const contents = parseDocument(body, {
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: "silent",
  }).contents;
  const own = isMap(contents)
    ? contents.items.find((pair) => isScalar(pair.key) && pair.key.value === key)
    : undefined;
  if (own !== undefined) {
    const [first] = isMap(own.value) && own.value.flow !== true ? own.value.items : [];
    if (first === undefined) return null;
    const at = offsetOf(first);
    return (
      bom +
      insertBefore(
        body,
        lineStart(body, at),
        `${lines
          .slice(1)
          .map((line) => line.slice(2))
          .join(newline)}${newline}`,
        indentOf(body, at),
      )
    );
  }
  const section = `${lines.join(newline)}${newline}`;
  const example = body.search(new RegExp(`^#${key}:\\s*$`, "m"));
  if (example >= 0) return bom + insertBefore(body, example, section, "");
  return `${text}${body === "" || body.endsWith("\n") ? "" : newline}${section}`;
}

function insert(text: string, addition: Addition): string | null {
  const bom = text.startsWith("\ufeff") ? "\ufeff" : "";
  const body = text.slice(bom.length);
  const newline = body.includes("\r\n") ? "\r\n" : "\n";
  const flow = `[${addition.recipients.map(yamlText).join(", ")}]`;
  const identityLine =
    addition.identity === null ? "" : `identity: ${yamlText(addition.identity)}${newline}`;
  const contents = parseDocument(body, {
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: "silent",
  }).contents;
  if (contents === null || (isScalar(contents) && contents.value === null)) {
    // Comments only. A document's end mark would put what follows into another document.
    const gap = body === "" || body.endsWith("\n") ? "" : newline;
    return `${bom}${body}${gap}recipients: ${flow}${newline}${identityLine}`;
  }
  if (!isMap(contents)) return null;
  const own = contents.items.find((pair) => isScalar(pair.key) && pair.key.value === "recipients");
  const first = contents.items[0];
  if (own !== undefined) {
    const value = own.value;
    const range =
      typeof value === "object" && value !== null && "range" in value
        ? (value.range as [number, number, number] | null)
        : null;
    if (range === null || range === undefined) return null;
    const [start, end] = range;
    const space = /\s$/.test(body.slice(0, start)) ? "" : " ";
    const filled = `${body.slice(0, start)}${space}${flow}${body.slice(end)}`;
    if (identityLine === "" || contents.flow === true) return `${bom}${filled}`;
    return (
      bom +
      insertBefore(
        filled,
        lineStart(body, offsetOf(first)),
        identityLine,
        indentOf(body, offsetOf(first)),
      )
    );
  }
  if (contents.flow === true || first === undefined) return null;
  const at = offsetOf(first);
  return (
    bom +
    insertBefore(
      body,
      lineStart(body, at),
      `recipients: ${flow}${newline}${identityLine}`,
      indentOf(body, at),
    )
  );
}

function offsetOf(pair: { readonly key: unknown } | undefined): number {
  const { key } = pair ?? { key: null };
  return isScalar(key) ? (key.range?.[0] ?? 0) : 0;
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

function indentOf(text: string, offset: number): string {
  return text.slice(lineStart(text, offset), offset);
}

function insertBefore(text: string, at: number, lines: string, indent: string): string {
  return text.slice(0, at) + lines.replaceAll(/^(?=.)/gm, indent) + text.slice(at);
}

function sameData(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
