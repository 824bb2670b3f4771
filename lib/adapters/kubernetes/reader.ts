/**
 * Reads a cluster by the port of lib/ports/cluster.ts. It sends GET and nothing else.
 *
 * Discovery asks for the Table form with metadata (types, number of data keys, managedFields): no
 * value crosses the network. Pages with values are kept to a few megabytes, whatever a Secret
 * weighs. Each page's JSON is garbage once it is parsed; nothing is cached.
 */
import type { V1Secret } from "@kubernetes/client-node";
import type { ClusterReader, ObjectRef, Presence, Scope } from "../../ports/cluster.ts";
import { CertkeepError } from "../../error.ts";
import { secretKey, type Secret, type SecretMeta } from "../../secret/secret.ts";
import type { Connection } from "./connection.ts";
import { parseStatus } from "./failure.ts";
import { createCollector, createHeapLimits } from "../heap.ts";
import { type HttpAnswer, type HttpOptions, HttpClient } from "./http.ts";
import { fieldsOf, textOf } from "../../untrusted.ts";
import {
  type Page,
  isSecretName,
  parseMetadata,
  parseMetadataPage,
  parseSecret,
  parseSecretPage,
} from "./parse.ts";
import { locate, WANTING, wantsOf } from "./kinds.ts";
import { listPages } from "./pages.ts";

export interface ReaderOptions extends HttpOptions {
  /** Items of a page at most; default 500. */
  readonly pageLimit?: number;
  /** Size that pages with values are kept near; default 1 MiB. */
  readonly pageBytes?: number;
}

/** The server knows none of the forms that were asked for. */
class NotAcceptable extends CertkeepError {}

const AS_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1";
const AS_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const AS_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PLAIN = "application/json";
interface Form {
  readonly count: "list_metadata" | "list_full";
  readonly accept: string;
  readonly query: string;
  readonly firstLimit: number;
}

/** Where nothing says how large values are, the first page finds out. */
const CAUTIOUS_LIMIT = 20;
const WITH_VALUES: Form = {
  count: "list_full",
  accept: PLAIN,
  query: "",
  firstLimit: CAUTIOUS_LIMIT,
};
const metadataForm = (accept: string): Form => ({
  count: "list_metadata",
  accept,
  query: "&includeObject=Metadata",
  firstLimit: Infinity,
});
/** First the best; a server that knows none of an entry answers 406 (Not Acceptable). */
const LISTING_FORMS = [
  metadataForm(`${AS_TABLE},${AS_METADATA_LIST}`),
  metadataForm(AS_METADATA_LIST),
  WITH_VALUES,
];
const METADATA_BYTES = 8 * 1024 * 1024;
const UNREADABLE_SHOWN = 100;

function secretsPath(namespace: string | null): string {
  return namespace === null
    ? "/api/v1/secrets"
    : `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
}

function listQuery(scope: Scope, limit: number, token: string | null): URLSearchParams {
  const query = new URLSearchParams({ limit: String(limit) });
  if (scope.labelSelector !== undefined) query.set("labelSelector", scope.labelSelector);
  if (scope.fieldSelector !== undefined) query.set("fieldSelector", scope.fieldSelector);
  if (token !== null) query.set("continue", token);
  return query;
}

class KubernetesReader implements ClusterReader {
  readonly #options: ReaderOptions;
  readonly #http;
  readonly #collector = createCollector();
  readonly #limitHeap = createHeapLimits();
  readonly #maxLimit;
  readonly #pageBytes;
  readonly #unreadable: string[] = [];
  #unreadableMore = 0;
  #valuesRead = 0;
  #unfilteredFullListings = 0;

  constructor(connection: Connection, options: ReaderOptions) {
    this.#options = options;
    this.#http = new HttpClient(connection, options);
    this.#limitHeap();
    this.#maxLimit = options.pageLimit ?? 500;
    this.#pageBytes = options.pageBytes ?? 1024 * 1024;
  }

  #received(bytes: number, items: number): void {
    this.#limitHeap();
    this.#collector(bytes, items);
  }

  #take<T>(page: Page<T> | null): Page<T> {
    if (page === null)
      throw this.#http.invalid("the server answered with JSON that isn't a list of Secrets");
    for (const line of page.unreadable) {
      if (this.#unreadable.length < UNREADABLE_SHOWN) this.#unreadable.push(line);
      else this.#unreadableMore += 1;
    }
    this.#valuesRead += page.withValues;
    return page;
  }

  #list<T extends SecretMeta>(
    scope: Scope,
    form: Form,
    parse: (value: unknown) => Page<T> | null,
  ): AsyncGenerator<Page<T>, void, undefined> {
    const { nowMs } = this.#options;
    const ofValues = form.count === "list_full";
    if (ofValues && scope.labelSelector === undefined && scope.fieldSelector === undefined)
      this.#unfilteredFullListings += 1;
    return listPages<T>({
      ask: (token, limit, signal) =>
        this.#http.send({
          path: `${secretsPath(scope.namespace)}?${listQuery(scope, limit, token)}${form.query}`,
          accept: form.accept,
          signal,
          kind: form.count,
        }),
      parse: (answer) => this.#take(parse(this.#http.json(answer))),
      failure: (answer) => {
        const action = { verb: "list", resource: "secrets", namespace: scope.namespace };
        const error = this.#http.failure(action, answer);
        return answer.status === 406 ? new NotAcceptable(error.code, error.parts) : error;
      },
      keyOf: secretKey,
      endless: (found) =>
        this.#http.invalid(`the server's listing of Secrets doesn't end: ${found}`),
      ...(nowMs === undefined ? {} : { nowMs }),
      firstLimit: Math.min(form.firstLimit, this.#maxLimit),
      maxLimit: this.#maxLimit,
      targetBytes: ofValues ? this.#pageBytes : METADATA_BYTES,
      received: (bytes, items) => this.#received(bytes, items),
    });
  }

  #get(kind: string, path: string, accept: string): Promise<HttpAnswer> {
    return this.#http.send({ path, accept, kind });
  }

  /** Whether a 404 is the API saying that this very object isn't there. */
  #isAbsent(answer: HttpAnswer, name: string): boolean {
    const facts = answer.status === 404 ? parseStatus(answer.body) : null;
    return facts !== null && facts.reason === "NotFound" && facts.detailsName === name;
  }

  async #presence(ref: ObjectRef, kind: string): Promise<Presence> {
    const place = locate(ref);
    if (place === null || ref.name === "" || ref.name === "." || ref.name === "..")
      return { state: "unknown" };
    const accept = WANTING.has(ref.kind) ? PLAIN : `${AS_METADATA},${PLAIN}`;
    const answer = await this.#get(kind, place.path, accept);
    if (answer.status === 200) {
      const object = fieldsOf(this.#http.json(answer));
      const metadata = fieldsOf(object["metadata"]);
      const uid = textOf(metadata["uid"]);
      if (uid === null || uid === "" || metadata["name"] !== ref.name) return { state: "unknown" };
      const wants = wantsOf(ref.kind, object);
      return {
        state: "present",
        uid,
        ...(textOf(metadata["deletionTimestamp"]) === null ? {} : { deleting: true }),
        ...(wants === null ? {} : { wants }),
      };
    }
    if (this.#isAbsent(answer, ref.name)) return { state: "absent" };
    // A kind that the server doesn't serve says nothing of its objects: its version may have been
    // retired.
    if (answer.status === 403 || answer.status === 404 || answer.status === 405)
      return { state: "unknown" };
    throw this.#http.failure(
      { verb: "get", resource: place.resource, namespace: place.namespace, name: ref.name },
      answer,
    );
  }

  readonly listMetadata: ClusterReader["listMetadata"] = (scope) => this.#listMetadata(scope);

  async *#listMetadata(scope: Scope): AsyncGenerator<readonly SecretMeta[], void, undefined> {
    for (const form of LISTING_FORMS) {
      let begun = false;
      try {
        for await (const page of this.#list(scope, form, parseMetadataPage)) {
          begun = true;
          yield page.items;
        }
        return;
      } catch (error) {
        if (begun || form === WITH_VALUES || !(error instanceof NotAcceptable)) throw error;
      }
    }
  }

  readonly listSecrets: ClusterReader["listSecrets"] = (scope) => this.#listSecrets(scope);

  async *#listSecrets(scope: Scope): AsyncGenerator<readonly Secret[], void, undefined> {
    // TLS Secrets weigh a few kilobytes; of others nothing is known.
    const ofTls = scope.fieldSelector?.includes("type=kubernetes.io/tls") === true;
    const form = ofTls ? { ...WITH_VALUES, firstLimit: Infinity } : WITH_VALUES;
    for await (const page of this.#list(scope, form, parseSecretPage)) yield page.items;
  }

  readonly identity: ClusterReader["identity"] = async () => {
    const found = await this.#presence(
      { apiVersion: "v1", kind: "Namespace", namespace: null, name: "kube-system" },
      "identity",
    );
    return {
      uid: found.state === "present" ? found.uid : null,
      ...this.#http.connection.proof.proven(),
    };
  };

  /** The answer with a Secret; `null` where there is none. */
  async #getSecret(namespace: string, name: string, accept: string): Promise<HttpAnswer | null> {
    // No API server has such a Secret, and a name such as `..` would be another path.
    if (!isSecretName(namespace, name)) return null;
    const path = `${secretsPath(namespace)}/${encodeURIComponent(name)}`;
    const answer = await this.#get("get", path, accept);
    if (this.#isAbsent(answer, name)) return null;
    const action = { verb: "get", resource: "secrets", namespace, name };
    if (answer.status !== 200) throw this.#http.failure(action, answer);
    return answer;
  }

  /** @throws CertkeepError where what was read is another object */
  #expect<T extends SecretMeta>(found: T | string, namespace: string, name: string): T {
    if (typeof found !== "string" && found.name === name && found.namespace === namespace)
      return found;
    throw this.#http.invalid(
      "the server answered with a different object than the requested Secret",
    );
  }

  readonly getStamp: ClusterReader["getStamp"] = async (namespace, name) => {
    const answer = await this.#getSecret(namespace, name, `${AS_METADATA},${PLAIN}`);
    if (answer === null) return null;
    const { metadata } = fieldsOf<V1Secret>(this.#http.json(answer));
    const meta = parseMetadata(metadata, { type: null, dataKeys: null });
    const { uid, resourceVersion } = this.#expect(meta, namespace, name);
    return { uid, resourceVersion };
  };

  readonly getSecret: ClusterReader["getSecret"] = async (namespace, name) => {
    const answer = await this.#getSecret(namespace, name, PLAIN);
    if (answer === null) return null;
    const value = this.#http.json(answer);
    const read = fieldsOf(value)["kind"] === "Secret" ? parseSecret(value) : "something else";
    const secret = this.#expect(read, namespace, name);
    this.#valuesRead += 1;
    this.#received(answer.body.length, 1);
    return secret;
  };

  readonly presence: ClusterReader["presence"] = (ref) => this.#presence(ref, "other");

  readonly stats: ClusterReader["stats"] = () => ({
    requests: { ...this.#http.requests },
    valuesRead: this.#valuesRead,
    unfilteredFullListings: this.#unfilteredFullListings,
    unreadable:
      this.#unreadableMore === 0
        ? [...this.#unreadable]
        : [...this.#unreadable, `and ${this.#unreadableMore} more`],
  });

  readonly close: ClusterReader["close"] = async () => this.#http.close();
}

/**
 * Makes a reader of the cluster that `connection` leads to. Nothing is asked until a method is
 * called.
 */
export function createClusterReader(
  connection: Connection,
  options: ReaderOptions = {},
): ClusterReader {
  return new KubernetesReader(connection, options);
}
