/**
 * Which Secrets of a cluster have to be read, by metadata alone. A listing that could not be
 * finished concludes nothing about what is missing: its namespaces aren't covered.
 */
import { CertkeepError, isCertkeepError } from "../../error.ts";
import { matchesPattern } from "../../finding/place.ts";
import type { Presence, Scope } from "../../ports/cluster.ts";
import { classify, type ClassifyOptions, own } from "../../secret/shapes.ts";
import { secretKey, type SecretMeta } from "../../secret/secret.ts";
import type { StateDocument } from "../../state/document.ts";
import { secretEntries, standingRecord, standingSecrets } from "../../state/secrets.ts";
import type { AuditTarget, Shortfall } from "./context.ts";
import { type WriterHint, writerHint } from "./observe/writers.ts";

export interface Wanted {
  readonly namespace: string;
  readonly name: string;
  /** `null` where metadata doesn't tell. */
  readonly type: string | null;
  /** It can hold an ACME account key under which certificates in other Secrets are issued. */
  readonly holdsAccounts: boolean;
}

export interface Discovery {
  /** By `namespace/name`: to be read. */
  readonly toRead: ReadonlyMap<string, Wanted>;
  /** Recorded Secrets that are there, unchanged or to be read. */
  readonly present: ReadonlySet<string>;
  /** Whether everything in `namespace` was listed, so that what isn't present is missing. */
  covered(namespace: string): boolean;
  /** Recorded Secrets that the settings leave out by now: neither lost nor read. */
  readonly outOfScope: ReadonlySet<string>;
  /** Recorded or named Secrets in namespaces that can't be listed: to be asked for by name. */
  readonly byName: readonly Wanted[];
  /** Why Secrets that hold certificates, or seem to, aren't judged. */
  readonly skipped: ReadonlyMap<string, "selector" | "layout">;
  readonly seen: number;
  /** TLS Secrets seen by scope, to choose between pages and single reads. */
  readonly tlsSeen: ReadonlyMap<string, number>;
  /**
   * What Tailscale's proxies keep certificates in, or will, by `namespace/name`; what no listing
   * told of isn't among them.
   */
  readonly writers: ReadonlyMap<string, WriterHint>;
  readonly scopes: readonly string[];
  readonly shortfalls: readonly Shortfall[];
}

/** Whether the record of this Secret still holds, so that its values needn't be read. */
export type Unchanged = (key: string, meta: SecretMeta) => boolean;

/** A field that by its name holds a certificate; one of an authority alone isn't counted. */
function seemsCertificate(field: string): boolean {
  return /\.(?:crt|cer|pem|der|p12|pfx|jks)$/i.test(field) && !/^(?:ca|root)\b/i.test(field);
}

export async function discover(
  target: AuditTarget,
  state: StateDocument,
  unchanged: Unchanged,
  signal?: AbortSignal,
): Promise<Discovery> {
  const discoverer = new Discoverer(target, state, unchanged, signal);
  await discoverer.listNamespaces();
  return discoverer.end();
}

class Discoverer {
  readonly #target: AuditTarget;
  readonly #state: StateDocument;
  readonly #unchanged: Unchanged;
  readonly #signal: AbortSignal | undefined;
  readonly #options: ClassifyOptions;
  readonly #toRead = new Map<string, Wanted>();
  readonly #present = new Set<string>();
  readonly #outOfScope = new Set<string>();
  readonly #skipped = new Map<string, "selector" | "layout">();
  readonly #tlsSeen = new Map<string, number>();
  readonly #writers = new Map<string, WriterHint>();
  readonly #scopes: string[] = [];
  readonly #shortfalls: Shortfall[] = [];
  readonly #unlisted: string[] = [];
  readonly #listed = new Set<string>();
  #everywhere = false;
  #seen = 0;

  constructor(
    target: AuditTarget,
    state: StateDocument,
    unchanged: Unchanged,
    signal: AbortSignal | undefined,
  ) {
    const { operatorNamespace, operatorSecret, secrets } = target.settings;
    this.#target = target;
    this.#state = state;
    this.#unchanged = unchanged;
    this.#signal = signal;
    this.#options = {
      operatorNamespace,
      operatorNames: [operatorSecret],
      named: new Set(secrets),
    };
  }

  #isInScope(namespace: string): boolean {
    const { namespaces } = this.#target.settings;
    return namespaces === null || namespaces.some((pattern) => matchesPattern(pattern, namespace));
  }

  #isCovered(namespace: string): boolean {
    return this.#isInScope(namespace) && (this.#everywhere || this.#listed.has(namespace));
  }

  async listNamespaces(): Promise<void> {
    const { homeNamespace, settings, only = null } = this.#target;
    const { namespaces, operatorNamespace } = settings;
    if (only !== null) return this.#listNamespace(only, true);
    if (namespaces !== null && namespaces.every((name) => !name.includes("*"))) {
      for (const namespace of namespaces) await this.#listNamespace(namespace, true);
      return;
    }
    if (await this.#listEverywhere()) return;
    if (namespaces !== null)
      this.#shortfall(
        "namespaces",
        "cluster_forbidden",
        "patterns of namespaces need list on secrets in all namespaces, which the credential has " +
          "not. Grant it, or name the namespaces one by one in certkeep.yaml",
      );
    const plain = namespaces?.filter((name) => !name.includes("*")) ?? [
      operatorNamespace,
      ...(homeNamespace === null ? [] : [homeNamespace]),
    ];
    for (const namespace of new Set(plain))
      await this.#listNamespace(namespace, namespaces !== null);
  }

  #shortfall(scope: string, code: string, what: string): void {
    this.#shortfalls.push({ scope, code, message: `cluster ${this.#target.title}: ${what}` });
  }

  async #listEverywhere(): Promise<boolean> {
    const { namespaces } = this.#target.settings;
    try {
      await this.#list({ namespace: null });
      this.#everywhere = true;
      this.#scopes.push(
        namespaces === null ? "all namespaces" : `namespaces ${namespaces.join(", ")}`,
      );
      return true;
    } catch (error) {
      if (!isCertkeepError(error, "cluster_forbidden")) throw error;
      return false;
    }
  }

  /** `asked`: the configuration names it. */
  async #listNamespace(namespace: string, asked: boolean): Promise<void> {
    const scope = `namespace ${namespace}`;
    try {
      const found = await this.#list({ namespace });
      if (found === 0 && asked && this.#isUnrecorded(namespace)) {
        const { state } = await this.#namespace(namespace);
        if (state === "absent") this.#noNamespace(namespace);
      }
      this.#listed.add(namespace);
      this.#scopes.push(scope);
    } catch (error) {
      if (isCertkeepError(error, "cluster_rejected", "cluster_answer_invalid"))
        this.#shortfalls.push({ scope, code: error.code, message: error.message });
      else if (isCertkeepError(error, "cluster_forbidden"))
        await this.#listForbidden(namespace, asked);
      else throw error;
    }
  }

  /**
   * The permission to list may have been deleted with its namespace: then the Secrets that were
   * recorded there are missing, even if what is there now can't be listed.
   */
  async #listForbidden(namespace: string, asked: boolean): Promise<void> {
    const { secrets, operatorNamespace } = this.#target.settings;
    const there = await this.#namespace(namespace);
    const recorded = own(this.#state.namespaces, namespace);
    const recreated =
      there.state === "present" &&
      (there.deleting === true || (recorded !== null && recorded !== there.uid));
    if (there.state === "absent" || recreated) this.#listed.add(namespace);
    else this.#unlisted.push(namespace);
    if (there.state === "absent") {
      if (asked && this.#isUnrecorded(namespace)) this.#noNamespace(namespace);
      return;
    }
    if (secrets.some((key) => key.startsWith(`${namespace}/`)) && !recreated)
      this.#scopes.push(`named Secrets of namespace ${namespace}`);
    else if (asked || namespace === operatorNamespace)
      this.#shortfalls.push({
        scope: `namespace ${namespace}`,
        code: "cluster_forbidden",
        message:
          `cluster ${this.#target.title}: discovery is not possible in namespace ${namespace}, ` +
          "since the credential has no permission to list its Secrets; only names already known " +
          "or configured are read. Grant list on secrets there, or name them under secrets: in " +
          "certkeep.yaml",
        ...(there.state === "present" ? { namespaceExists: true } : {}),
      });
  }

  #namespace(name: string): Promise<Presence> {
    const ref = { apiVersion: "v1", kind: "Namespace", namespace: null, name };
    return this.#target.reader.presence(ref);
  }

  #isUnrecorded(name: string): boolean {
    return ![...secretEntries(this.#state)].some(({ namespace }) => namespace === name);
  }

  /** @throws CertkeepError usage, for a namespace that a person named on the command line */
  #noNamespace(namespace: string): void {
    const found = `there is no namespace ${namespace}`;
    if (this.#target.only === namespace)
      throw new CertkeepError("usage", {
        where: `cluster ${this.#target.title}`,
        found,
        todo: "Correct -n; kubectl get namespaces lists them",
      });
    this.#shortfall(
      `namespace ${namespace}`,
      "cluster_not_found",
      `${found}. Correct namespaces: in certkeep.yaml.`,
    );
  }

  #isLookedAt(namespace: string): boolean {
    const { only = null } = this.#target;
    return only === null || namespace === only;
  }

  async #list(scope: Scope): Promise<number> {
    const selected = await this.#selection(scope);
    const met = new Set<string>();
    let found = 0;
    for await (const page of this.#target.reader.listMetadata(scope)) {
      this.#signal?.throwIfAborted();
      for (const meta of page) {
        const key = secretKey(meta);
        if (met.has(key)) continue;
        met.add(key);
        if (!this.#isInScope(meta.namespace) && !this.#options.named.has(key)) continue;
        found += 1;
        this.#take(key, meta, scope, selected);
      }
    }
    this.#seen += found;
    return found;
  }

  /** Keys of the TLS Secrets that the configured selector selects; `null`: all. */
  async #selection(scope: Scope): Promise<ReadonlySet<string> | null> {
    const { selector } = this.#target.settings;
    if (selector === null) return null;
    const keys = new Set<string>();
    const pages = this.#target.reader.listMetadata({
      ...scope,
      fieldSelector: "type=kubernetes.io/tls",
      labelSelector: selector,
    });
    for await (const page of pages) for (const meta of page) keys.add(secretKey(meta));
    return keys;
  }

  #take(key: string, meta: SecretMeta, scope: Scope, selected: ReadonlySet<string> | null): void {
    const { namespace, name, type } = meta;
    const hint = writerHint(meta, this.#options);
    if (hint !== null) this.#writers.set(key, hint);
    if (type === "kubernetes.io/tls")
      this.#tlsSeen.set(scope.namespace ?? "", (this.#tlsSeen.get(scope.namespace ?? "") ?? 0) + 1);
    const { shape, want } = classify(meta, this.#options);
    if (
      shape === "tls" &&
      selected !== null &&
      !selected.has(key) &&
      !this.#options.named.has(key)
    ) {
      this.#outOfScope.add(key);
      this.#skipped.set(key, "selector");
      return;
    }
    const recorded = standingRecord(this.#state, key);
    if (recorded !== undefined) this.#present.add(key);
    if (shape === null && !want && meta.dataKeys?.some(seemsCertificate) === true)
      this.#skipped.set(key, "layout");
    if (!want && (recorded === undefined || recorded.shape === null)) return;
    if (this.#unchanged(key, meta)) return;
    this.#toRead.set(key, {
      ...{ namespace, name, type },
      holdsAccounts: shape === "proxygroup-state" || shape === "acme-accounts",
    });
  }

  end(): Discovery {
    return {
      toRead: this.#toRead,
      present: this.#present,
      covered: (namespace) => this.#isCovered(namespace),
      byName: this.#askedByName(),
      outOfScope: this.#outOfScope,
      skipped: this.#skipped,
      seen: this.#seen,
      tlsSeen: this.#tlsSeen,
      writers: this.#writers,
      scopes: this.#scopes,
      shortfalls: this.#shortfalls,
    };
  }

  #askedByName(): Wanted[] {
    const { secrets, operatorNamespace, operatorSecret } = this.#target.settings;
    const keys = new Set(secrets);
    for (const { key, namespace, record } of standingSecrets(this.#state)) {
      if (!this.#isLookedAt(namespace)) continue;
      if (!this.#isInScope(namespace) && !this.#options.named.has(key)) this.#outOfScope.add(key);
      else if (record.shape !== null && !record.foreign) keys.add(key);
    }
    if (this.#unlisted.includes(operatorNamespace))
      keys.add(`${operatorNamespace}/${operatorSecret}`);
    return [...keys].flatMap((key): Wanted[] => {
      const slash = key.indexOf("/");
      const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)];
      return this.#isCovered(namespace) || !this.#isLookedAt(namespace)
        ? []
        : [{ namespace, name, type: null, holdsAccounts: false }];
    });
  }
}
