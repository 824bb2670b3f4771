/**
 * Which Secrets of a cluster have to be looked at, by metadata alone. A listing that could not be
 * finished concludes nothing about what is missing: its namespaces aren't covered.
 */
import { isCertkeepError } from "../../error.ts";
import { matchesPattern } from "../../finding/pattern.ts";
import type { Scope } from "../../ports/cluster.ts";
import { classify, type ClassifyOptions } from "../../secret/classify.ts";
import { secretKey, type SecretMeta } from "../../secret/secret.ts";
import { LABEL, own, type Shape } from "../../secret/shapes.ts";
import type { StateDocument } from "../../state/document.ts";
import { standingRecord, standingSecrets } from "../../state/secrets.ts";
import type { AuditTarget } from "./context.ts";

/** A Secret whose values are wanted. */
export interface Wanted {
  readonly namespace: string;
  readonly name: string;
  /** `null` where metadata doesn't tell. */
  readonly type: string | null;
  /** It can hold an ACME account key under which certificates in other Secrets are issued. */
  readonly holdsAccounts: boolean;
}

/** What a listing tells of a Secret that one of Tailscale's proxies writes. */
export interface WriterHint {
  readonly shape: Shape;
  /** Name of its ProxyGroup; `null` for none. */
  readonly group: string | null;
}

export interface Shortfall {
  readonly scope: string;
  readonly code: string;
  readonly message: string;
}

export interface Discovery {
  /** By `namespace/name`: to be read. */
  readonly toRead: ReadonlyMap<string, Wanted>;
  /** Recorded Secrets that are there, unchanged or to be read. */
  readonly present: ReadonlySet<string>;
  /** Whether everything in `namespace` was listed, so that what isn't present is gone. */
  covered(namespace: string): boolean;
  /** Recorded Secrets that the settings leave out by now: neither lost nor looked at. */
  readonly outOfScope: ReadonlySet<string>;
  /** Recorded or named Secrets in namespaces that can't be listed: to be asked for by name. */
  readonly byName: readonly Wanted[];
  readonly seen: number;
  /** TLS Secrets seen by scope, to choose between pages and single reads. */
  readonly tlsSeen: ReadonlyMap<string, number>;
  /**
   * What Tailscale's proxies keep certificates in, or will, by `namespace/name`; what no listing
   * told of isn't among them.
   */
  readonly writers: ReadonlyMap<string, WriterHint>;
  /** What was looked through, in words. */
  readonly scopes: readonly string[];
  readonly shortfalls: readonly Shortfall[];
}

/** Whether the record of this Secret still holds, so that its values needn't be read. */
export type Unchanged = (key: string, meta: SecretMeta) => boolean;

const forbidden = (error: unknown): boolean => isCertkeepError(error, "cluster_forbidden");

export async function discover(
  target: AuditTarget,
  state: StateDocument,
  unchanged: Unchanged,
  signal?: AbortSignal,
): Promise<Discovery> {
  const { reader, settings } = target;
  const toRead = new Map<string, Wanted>();
  const present = new Set<string>();
  const outOfScope = new Set<string>();
  const tlsSeen = new Map<string, number>();
  const writers = new Map<string, WriterHint>();
  const scopes: string[] = [];
  const shortfalls: Shortfall[] = [];
  const unlisted: string[] = [];
  const options: ClassifyOptions = {
    operatorNamespace: settings.operatorNamespace,
    operatorNames: [settings.operatorSecret],
    named: new Set(settings.secrets),
  };
  let everywhere = false;
  const listed = new Set<string>();
  let seen = 0;

  const inScope = (namespace: string): boolean =>
    settings.namespaces === null ||
    settings.namespaces.some((pattern) => matchesPattern(pattern, namespace));

  async function list(scope: Scope, selected: ReadonlySet<string> | null): Promise<number> {
    let found = 0;
    const met = new Set<string>();
    for await (const page of reader.listMetadata(scope)) {
      signal?.throwIfAborted();
      for (const meta of page) {
        const key = secretKey(meta);
        if (met.has(key)) continue;
        met.add(key);
        if (!inScope(meta.namespace) && !options.named.has(key)) continue;
        found += 1;
        const recorded = standingRecord(state, key);
        const hint = writerHint(meta, options);
        if (hint !== null) writers.set(key, hint);
        if (meta.type === "kubernetes.io/tls")
          tlsSeen.set(scope.namespace ?? "", (tlsSeen.get(scope.namespace ?? "") ?? 0) + 1);
        const { shape, want } = classify(meta, options);
        if (shape === "tls" && selected !== null && !selected.has(key) && !options.named.has(key)) {
          outOfScope.add(key);
          continue;
        }
        if (recorded !== undefined) present.add(key);
        const held = recorded !== undefined && recorded.shape !== null;
        if (!want && !held) continue;
        if (unchanged(key, meta)) continue;
        toRead.set(key, {
          namespace: meta.namespace,
          name: meta.name,
          type: meta.type,
          holdsAccounts: shape === "proxygroup-state" || shape === "acme-accounts",
        });
      }
    }
    seen += found;
    return found;
  }

  async function selection(scope: Scope): Promise<ReadonlySet<string> | null> {
    if (settings.selector === null) return null;
    const keys = new Set<string>();
    for await (const page of reader.listMetadata({
      ...scope,
      fieldSelector: "type=kubernetes.io/tls",
      labelSelector: settings.selector,
    })) {
      for (const meta of page) keys.add(secretKey(meta));
    }
    return keys;
  }

  async function listAll(): Promise<boolean> {
    try {
      await list({ namespace: null }, await selection({ namespace: null }));
      everywhere = true;
      scopes.push(
        settings.namespaces === null
          ? "all namespaces"
          : `namespaces ${settings.namespaces.join(", ")}`,
      );
      return true;
    } catch (error) {
      if (!forbidden(error)) throw error;
      return false;
    }
  }

  async function listNamespace(namespace: string, asked: boolean): Promise<void> {
    try {
      const found = await list({ namespace }, await selection({ namespace }));
      if (found === 0 && asked) {
        const there = await reader.presence({
          apiVersion: "v1",
          kind: "Namespace",
          namespace: null,
          name: namespace,
        });
        if (
          there.state === "absent" &&
          ![...standingSecrets(state)].some((entry) => entry.namespace === namespace)
        ) {
          shortfalls.push({
            scope: `namespace ${namespace}`,
            code: "cluster_not_found",
            message:
              `cluster ${target.title}: there is no namespace ${namespace}; expected one, as ` +
              "the configuration names it. Correct namespaces: in certkeep.yaml",
          });
        }
      }
      listed.add(namespace);
      scopes.push(`namespace ${namespace}`);
    } catch (error) {
      if (isCertkeepError(error, "cluster_rejected", "cluster_answer_invalid")) {
        shortfalls.push({
          scope: `namespace ${namespace}`,
          code: error.code,
          message: error.message,
        });
        return;
      }
      if (!forbidden(error)) throw error;
      unlisted.push(namespace);
      if (settings.secrets.some((key) => key.startsWith(`${namespace}/`))) {
        scopes.push(`named Secrets of namespace ${namespace}`);
        return;
      }
      if (!asked && namespace !== settings.operatorNamespace) return;
      shortfalls.push({
        scope: `namespace ${namespace}`,
        code: "cluster_forbidden",
        message:
          `cluster ${target.title}: discovery is not possible in namespace ${namespace}, since ` +
          "the credential may not list its Secrets; only names already known or configured are " +
          "read. Grant list on secrets there, or name them under secrets: in certkeep.yaml",
      });
    }
  }

  const literals =
    settings.namespaces?.every((name) => !name.includes("*")) === true ? settings.namespaces : null;
  if (literals !== null) {
    for (const namespace of literals) await listNamespace(namespace, true);
  } else if (!(await listAll())) {
    if (settings.namespaces !== null) {
      shortfalls.push({
        scope: "namespaces",
        code: "cluster_forbidden",
        message:
          `cluster ${target.title}: patterns of namespaces need list on secrets in all ` +
          "namespaces, which the credential has not. Grant it, or name the namespaces one by " +
          "one in certkeep.yaml",
      });
    }
    const plain = settings.namespaces?.filter((name) => !name.includes("*")) ?? [
      settings.operatorNamespace,
      ...(target.homeNamespace === null ? [] : [target.homeNamespace]),
    ];
    for (const namespace of new Set(plain))
      await listNamespace(namespace, settings.namespaces !== null);
  }

  const covered = (namespace: string): boolean =>
    inScope(namespace) && (everywhere || listed.has(namespace));
  const byName = new Map<string, Wanted>();
  const ask = (key: string): void => {
    const slash = key.indexOf("/");
    const namespace = key.slice(0, slash);
    if (!covered(namespace))
      byName.set(key, { namespace, name: key.slice(slash + 1), type: null, holdsAccounts: false });
  };
  for (const key of settings.secrets) ask(key);
  for (const { key, namespace, record } of standingSecrets(state)) {
    if (!inScope(namespace) && !options.named.has(key)) outOfScope.add(key);
    else if (record.shape !== null && !record.foreign) ask(key);
  }
  if (unlisted.includes(settings.operatorNamespace))
    ask(`${settings.operatorNamespace}/${settings.operatorSecret}`);
  return {
    toRead,
    present,
    covered,
    outOfScope,
    byName: [...byName.values()],
    seen,
    tlsSeen,
    writers,
    scopes,
    shortfalls,
  };
}

/**
 * Secrets of an L3 proxy and of an operator without a certificate are none: nothing issues for
 * them.
 */
function writerHint(meta: SecretMeta, options: ClassifyOptions): WriterHint | null {
  if (own(meta.labels, LABEL.managed) !== "true") return null;
  const { shape } = classify(meta, options);
  const parentType = own(meta.labels, LABEL.parentType);
  if (shape === "ha-ingress" || shape === "apiserver-proxygroup")
    return { shape, group: own(meta.labels, LABEL.group) };
  if (shape === "proxygroup-state") return { shape, group: own(meta.labels, LABEL.parent) };
  return shape === "standalone" && parentType === "ingress" ? { shape, group: null } : null;
}

/** A page of TLS Secrets is worth reading where at least this share of it is wanted. */
const PAGE_SHARE = 1 / 3;
const PAGE_LEAST = 20;

/** How the wanted are best read: TLS Secrets by pages narrowed to their type, all else by name. */
export function planReading(discovery: Discovery): {
  readonly pages: readonly Scope[];
  readonly single: readonly Wanted[];
} {
  const byScope = new Map<string, Wanted[]>();
  for (const wanted of discovery.toRead.values()) {
    if (wanted.type !== "kubernetes.io/tls") continue;
    const scope = discovery.tlsSeen.has(wanted.namespace) ? wanted.namespace : "";
    const list = byScope.get(scope);
    if (list === undefined) byScope.set(scope, [wanted]);
    else list.push(wanted);
  }
  const pages: Scope[] = [];
  const paged = new Set<Wanted>();
  for (const [scope, wanted] of byScope) {
    if (
      wanted.length < PAGE_LEAST ||
      wanted.length < PAGE_SHARE * (discovery.tlsSeen.get(scope) ?? 0)
    )
      continue;
    pages.push({ namespace: scope === "" ? null : scope, fieldSelector: "type=kubernetes.io/tls" });
    for (const one of wanted) paged.add(one);
  }
  return {
    pages,
    single: [...discovery.toRead.values(), ...discovery.byName].filter(
      (wanted) => !paged.has(wanted),
    ),
  };
}
