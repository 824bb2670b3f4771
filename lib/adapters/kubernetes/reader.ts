/**
 * Reads a cluster by the port of lib/ports/cluster.ts. It sends GET and nothing else.
 *
 * Discovery asks for the Table form with metadata (types, number of data keys, managedFields): no
 * value crosses the network. Pages with values are kept to a few megabytes, whatever a Secret
 * weighs. Each page's JSON is garbage once it is parsed; nothing is cached.
 */
import type {
  ClusterReader,
  ObjectRef,
  Presence,
  ReaderStats,
  Scope,
} from "../../ports/cluster.ts";
import { CertkeepError } from "../../error.ts";
import { secretKey, type Secret, type SecretMeta } from "../../secret/secret.ts";
import type { ClusterIdentity } from "../../state/identity.ts";
import type { Connection } from "./connection.ts";
import { type Action, answerInvalid, parseStatus, statusError } from "./failure.ts";
import { parseAnswer } from "./json.ts";
import { createCollector, createHeapLimits } from "../heap.ts";
import { type HttpAnswer, type HttpOptions, createHttpClient } from "./http.ts";
import {
  fieldsOf,
  textOf,
  type Page,
  isSecretName,
  parseMetadata,
  parseMetadataPage,
  parseSecret,
  parseSecretPage,
} from "./parse.ts";
import { locate } from "./kinds.ts";
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
/** First the best; a server that knows none of an entry answers 406 (Not Acceptable). */
const LISTING_FORMS = [`${AS_TABLE},${AS_METADATA_LIST}`, AS_METADATA_LIST, PLAIN];
/** Where nothing says how large values are, the first page finds out. */
const CAUTIOUS_LIMIT = 20;
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

/**
 * Makes a reader of the cluster that `connection` leads to. Nothing is asked until a method is
 * called.
 */
export function createClusterReader(
  connection: Connection,
  options: ReaderOptions = {},
): ClusterReader {
  const http = createHttpClient(connection, options);
  const collector = createCollector();
  const limitHeap = createHeapLimits();
  limitHeap();
  const received = (bytes: number, items: number): void => {
    limitHeap();
    collector(bytes, items);
  };
  const maxLimit = options.pageLimit ?? 500;
  const pageBytes = options.pageBytes ?? 1024 * 1024;
  const requests: Record<string, number> = {};
  const unreadable: string[] = [];
  let unreadableMore = 0;
  let valuesRead = 0;
  let unfilteredFullListings = 0;

  const count = (kind: string) => () => {
    requests[kind] = (requests[kind] ?? 0) + 1;
  };
  const failure = (action: Action) => (answer: HttpAnswer) =>
    statusError(connection, action, answer.status, answer.contentType, answer.body);

  const json = (answer: HttpAnswer): unknown => parseAnswer(connection, answer);

  const take =
    <T>(parse: (value: unknown) => Page<T> | null) =>
    (answer: HttpAnswer): Page<T> => {
      const page = parse(json(answer));
      if (page === null)
        throw answerInvalid(connection, "the server answered with JSON that is no list of Secrets");
      for (const line of page.unreadable) {
        if (unreadable.length < UNREADABLE_SHOWN) unreadable.push(line);
        else unreadableMore += 1;
      }
      valuesRead += page.withValues;
      return page;
    };

  const paged = <T extends SecretMeta>(
    kind: string,
    scope: Scope,
    form: string,
    extra: string,
    parse: (value: unknown) => Page<T> | null,
    sizes: { first: number; target: number },
  ) => {
    const action: Action = { verb: "list", resource: "secrets", namespace: scope.namespace };
    return listPages<T>({
      ask: (token, limit, signal) =>
        http.send({
          method: "GET",
          path: `${secretsPath(scope.namespace)}?${listQuery(scope, limit, token)}${extra}`,
          accept: form,
          signal,
          onAttempt: count(kind),
        }),
      parse: take(parse),
      failure: (answer) => {
        const error = failure(action)(answer);
        return answer.status === 406 ? new NotAcceptable(error.code, error.parts) : error;
      },
      keyOf: secretKey,
      endless: (found) =>
        answerInvalid(connection, `the server's listing of Secrets doesn't end: ${found}`),
      ...(options.nowMs === undefined ? {} : { nowMs: options.nowMs }),
      firstLimit: Math.min(sizes.first, maxLimit),
      maxLimit,
      targetBytes: sizes.target,
      received,
    });
  };

  const get = (kind: string, path: string, accept: string): Promise<HttpAnswer> =>
    http.send({ method: "GET", path, accept, onAttempt: count(kind) });

  /** Whether a 404 is the API saying that this very object isn't there. */
  const isAbsent = (answer: HttpAnswer, name: string): boolean => {
    const facts = answer.status === 404 ? parseStatus(answer.body) : null;
    return facts !== null && facts.reason === "NotFound" && facts.detailsName === name;
  };

  const presence = async (ref: ObjectRef, kind: string): Promise<Presence> => {
    const place = locate(ref);
    if (place === null || ref.name === "" || ref.name === "." || ref.name === "..")
      return { state: "unknown" };
    const answer = await get(kind, place.path, `${AS_METADATA},${PLAIN}`);
    if (answer.status === 200) {
      const metadata = fieldsOf(fieldsOf(json(answer))["metadata"]);
      const uid = textOf(metadata["uid"]);
      return uid === null || uid === "" || metadata["name"] !== ref.name
        ? { state: "unknown" }
        : { state: "present", uid };
    }
    if (isAbsent(answer, ref.name)) return { state: "absent" };
    // A kind that the server doesn't serve says nothing of its objects: its version may have been
    // retired.
    if (answer.status === 403 || answer.status === 404 || answer.status === 405)
      return { state: "unknown" };
    throw statusError(
      connection,
      { verb: "get", resource: place.resource, namespace: place.namespace, name: ref.name },
      answer.status,
      answer.contentType,
      answer.body,
    );
  };

  async function* listMetadata(
    scope: Scope,
  ): AsyncGenerator<readonly SecretMeta[], void, undefined> {
    for (const form of LISTING_FORMS) {
      const full = form === PLAIN;
      if (full && scope.labelSelector === undefined && scope.fieldSelector === undefined)
        unfilteredFullListings += 1;
      const sizes = full
        ? { first: CAUTIOUS_LIMIT, target: pageBytes }
        : { first: maxLimit, target: METADATA_BYTES };
      let begun = false;
      try {
        for await (const page of paged(
          full ? "list_full" : "list_metadata",
          scope,
          form,
          full ? "" : "&includeObject=Metadata",
          parseMetadataPage,
          sizes,
        )) {
          begun = true;
          yield page.items;
        }
        return;
      } catch (error) {
        if (begun || full || !(error instanceof NotAcceptable)) throw error;
      }
    }
  }

  async function* listSecrets(scope: Scope): AsyncGenerator<readonly Secret[], void, undefined> {
    if (scope.labelSelector === undefined && scope.fieldSelector === undefined)
      unfilteredFullListings += 1;
    // TLS Secrets weigh a few kilobytes; of others nothing is known.
    const first =
      scope.fieldSelector?.includes("type=kubernetes.io/tls") === true ? maxLimit : CAUTIOUS_LIMIT;
    for await (const page of paged("list_full", scope, PLAIN, "", parseSecretPage, {
      first,
      target: pageBytes,
    }))
      yield page.items;
  }

  return {
    identity: async (): Promise<ClusterIdentity> => {
      const found = await presence(
        { apiVersion: "v1", kind: "Namespace", namespace: null, name: "kube-system" },
        "identity",
      );
      return { uid: found.state === "present" ? found.uid : null, ...connection.proof.proven() };
    },
    listMetadata,
    listSecrets,
    getStamp: async (namespace, name) => {
      if (!isSecretName(namespace, name)) return null;
      const answer = await get(
        "get",
        `${secretsPath(namespace)}/${encodeURIComponent(name)}`,
        `${AS_METADATA},${PLAIN}`,
      );
      if (isAbsent(answer, name)) return null;
      if (answer.status !== 200)
        throw failure({ verb: "get", resource: "secrets", namespace, name })(answer);
      const meta = parseMetadata(fieldsOf(json(answer))["metadata"], {
        type: null,
        dataKeys: null,
      });
      if (typeof meta === "string" || meta.name !== name || meta.namespace !== namespace) {
        throw answerInvalid(
          connection,
          "the server answered with another object than the Secret that was asked for",
        );
      }
      return { uid: meta.uid, resourceVersion: meta.resourceVersion };
    },
    getSecret: async (namespace, name) => {
      // No API server has such a Secret, and a name such as `..` would be another path.
      if (!isSecretName(namespace, name)) return null;
      const answer = await get(
        "get",
        `${secretsPath(namespace)}/${encodeURIComponent(name)}`,
        PLAIN,
      );
      if (isAbsent(answer, name)) return null;
      if (answer.status !== 200)
        throw failure({ verb: "get", resource: "secrets", namespace, name })(answer);
      const value = json(answer);
      const secret = fieldsOf(value)["kind"] === "Secret" ? parseSecret(value) : "something else";
      if (typeof secret === "string" || secret.name !== name || secret.namespace !== namespace) {
        throw answerInvalid(
          connection,
          "the server answered with another object than the Secret that was asked for",
        );
      }
      valuesRead += 1;
      received(answer.body.length, 1);
      return secret;
    },
    presence: (ref) => presence(ref, "other"),
    stats: (): ReaderStats => ({
      requests: { ...requests },
      valuesRead,
      unfilteredFullListings,
      unreadable:
        unreadableMore === 0 ? [...unreadable] : [...unreadable, `and ${unreadableMore} more`],
    }),
    close: async () => http.close(),
  };
}
