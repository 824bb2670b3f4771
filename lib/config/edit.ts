/**
 * Adds settings to an existing `certkeep.yaml` by inserting text, so that every comment, blank line
 * and quote of its author stays as it is. What can't be done so is refused, never rewritten: each
 * function gives `null` where the text isn't a configuration, has such settings already, or is
 * written so that a line can't be inserted safely.
 */
import { isMap, isScalar, isSeq, type Node, type Pair, parseDocument, stringify } from "yaml";
import { NO_SETTINGS } from "./cluster.ts";
import { parseConfig } from "./parse.ts";
import type { Config } from "./schema.ts";
import { type TemplateCluster, yamlText } from "./template.ts";

interface Edit {
  readonly text: string | null;
  /** What the text has to mean. */
  readonly wanted: Config;
}

function edited(text: string, edit: (config: Config) => Edit | null): string | null {
  const before = parseConfig(text, "");
  const change = before.ok ? edit(before.config) : null;
  if (change === null || change.text === null) return null;
  const after = parseConfig(change.text, "");
  const fits = after.ok && JSON.stringify(after.config) === JSON.stringify(change.wanted);
  return fits ? change.text : null;
}

export interface Addition {
  readonly recipients: readonly string[];
  /** Added only where the file has none. */
  readonly identity: string | null;
}

export function addSettings(text: string, { recipients, identity }: Addition): string | null {
  return edited(text, (config) =>
    config.recipients.length > 0 || recipients.length === 0
      ? null
      : {
          text: insertRecipients(text, recipients, config.identity === null ? identity : null),
          wanted: { ...config, recipients, identity: config.identity ?? identity },
        },
  );
}

export interface CloudAddition {
  readonly region: string;
  readonly stage: string;
  /** Added only where the file has no route. */
  readonly route: { readonly name: string; readonly webhook: string } | null;
}

/** Adds `aws:` and a route of the digest, each where `text` has none. */
export function addCloud(text: string, { region, stage, route }: CloudAddition): string | null {
  return edited(text, (config) => {
    const { aws, digest } = config;
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
    const routes = routed
      ? [{ ...route, clusters: null, severity: "info" as const }]
      : digest.routes;
    return {
      text: after,
      wanted: {
        ...config,
        aws: aws ?? { region, stage, topic: null, restoreFunction: null },
        digest: { ...digest, routes },
      },
    };
  });
}

export function addClusters(text: string, clusters: readonly TemplateCluster[]): string | null {
  const lines = clusters.flatMap(({ name, context }) => [
    `  - name: ${yamlText(name)}`,
    `    context: ${yamlText(context)}`,
  ]);
  return edited(text, (config) =>
    config.clusters.length > 0
      ? null
      : {
          text: insertSection(text, "clusters", ["clusters:", ...lines]),
          wanted: {
            ...config,
            clusters: clusters.map(({ name, context }) => ({ name, ...NO_SETTINGS, context })),
          },
        },
  );
}

export interface RemovedCluster {
  /** The file without the entry. */
  readonly text: string;
  /** The entry's settings, but for its name and how the cluster is reached. */
  readonly settings: string;
}

export function removeCluster(text: string, name: string): RemovedCluster | null {
  const { contents } = parseDocument<Node, false>(text, QUIET);
  const pair = pairOf(contents, "clusters");
  const list = pair?.value;
  if (pair === undefined || !isSeq(list) || list.flow === true) return null;
  const entry = list.items.find((item) => isMap(item) && item.get("name") === name);
  if (!isMap(entry) || entry.range == null) return null;
  const isOnly = list.items.length === 1;
  const next = list.items[list.items.indexOf(entry) + 1];
  const start = lineStart(text, isOnly ? offsetOf(pair) : entry.range[0]);
  const end = isMap(next) && next.range != null ? lineStart(text, next.range[0]) : entry.range[2];
  const after = edited(text, (config) => ({
    text: text.slice(0, start) + text.slice(end),
    wanted: { ...config, clusters: config.clusters.filter((cluster) => cluster.name !== name) },
  }));
  for (const key of ["name", "kubeconfig", "context", "restoreKubeconfig"]) entry.delete(key);
  const settings: unknown = entry.toJSON();
  return after === null ? null : { text: after, settings: stringify(settings, { lineWidth: 0 }) };
}

const QUIET = { prettyErrors: false, uniqueKeys: false, logLevel: "silent" } as const;

/** `bom`: what is before `body`, to which offsets refer. */
function opened(text: string) {
  const bom = text.startsWith("\ufeff") ? "\ufeff" : "";
  const body = text.slice(bom.length);
  const newline = body.includes("\r\n") ? "\r\n" : "\n";
  const gap = body === "" || body.endsWith("\n") ? "" : newline;
  return { bom, body, newline, gap, contents: parseDocument(body, QUIET).contents };
}

function pairOf(contents: unknown, key: string): Pair | undefined {
  return isMap(contents)
    ? contents.items.find((pair) => isScalar(pair.key) && pair.key.value === key)
    : undefined;
}

/**
 * The section within its like where the file has one, in the place of its example where the file is
 * as init wrote it, else at the end.
 */
function insertSection(text: string, key: string, lines: readonly string[]): string | null {
  const { bom, body, newline, gap, contents } = opened(text);
  const joined = (some: readonly string[]): string => some.join(newline) + newline;
  const own = pairOf(contents, key);
  if (own !== undefined) {
    const [first] = isMap(own.value) && own.value.flow !== true ? own.value.items : [];
    const inner = joined(lines.slice(1).map((line) => line.slice(2)));
    return first === undefined ? null : bom + insertBefore(body, offsetOf(first), inner);
  }
  const example = body.search(new RegExp(`^#${key}:\\s*$`, "m"));
  return example >= 0
    ? bom + insertBefore(body, example, joined(lines))
    : text + gap + joined(lines);
}

function insertRecipients(
  text: string,
  recipients: readonly string[],
  identity: string | null,
): string | null {
  const { bom, body, newline, gap, contents } = opened(text);
  const flow = `[${recipients.map(yamlText).join(", ")}]`;
  const identityLine = identity === null ? "" : `identity: ${yamlText(identity)}${newline}`;
  const lines = `recipients: ${flow}${newline}${identityLine}`;
  // Comments only. A document's end mark would put what follows into another document.
  if (contents === null || (isScalar(contents) && contents.value === null))
    return bom + body + gap + lines;
  if (!isMap(contents)) return null;
  const first = offsetOf(contents.items[0]);
  const own = pairOf(contents, "recipients");
  if (own === undefined)
    return contents.flow === true || contents.items.length === 0
      ? null
      : bom + insertBefore(body, first, lines);
  const range = (own.value as Node | null)?.range;
  if (range == null) return null;
  const [start, end] = range;
  const space = /\s$/.test(body.slice(0, start)) ? "" : " ";
  const filled = `${body.slice(0, start)}${space}${flow}${body.slice(end)}`;
  return (
    bom +
    (identityLine === "" || contents.flow === true
      ? filled
      : insertBefore(filled, first, identityLine))
  );
}

function offsetOf(pair: { readonly key: unknown } | undefined): number {
  const { key } = pair ?? { key: null };
  return isScalar(key) ? (key.range?.[0] ?? 0) : 0;
}

function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** `lines` before the line of `offset`, indented as far as `offset` is. */
function insertBefore(text: string, offset: number, lines: string): string {
  const at = lineStart(text, offset);
  const indent = text.slice(at, offset);
  return text.slice(0, at) + lines.replaceAll(/^(?=.)/gm, indent) + text.slice(at);
}
