/**
 * Writing to a cluster by the port of lib/ports/cluster.ts: POST and conditional PATCH and DELETE
 * of Secrets, and POST of a namespace. Every write may be sent twice without harm, so a lost answer
 * is asked again: a patch names the version it is for, a deletion too, and a creation that finds
 * the name taken looks whether what is there is its own.
 *
 * Answers are asked for as metadata alone: what was written doesn't come back over the network.
 */
import { isDeepStrictEqual } from "node:util";
import type { V1DeleteOptions, V1Namespace, V1Secret } from "@kubernetes/client-node";
import { CertkeepError } from "../../error.ts";
import type {
  ClusterWriter,
  NewSecret,
  SecretChange,
  SecretPlace,
  WriteOptions,
  WriteOutcome,
} from "../../ports/cluster.ts";
import type { Connection } from "./connection.ts";
import { writeError } from "./denial.ts";
import { type Action, parseStatus } from "./failure.ts";
import { HttpClient, type HttpAnswer, type HttpOptions } from "./http.ts";
import { fieldsOf } from "../../untrusted.ts";
import { isSecretName, parseSecret } from "./parse.ts";
import { watchSecrets } from "./watch.ts";

/** Under this name the server's managedFields show what a restore wrote. */
const FIELD_MANAGER = "certkeep";

const AS_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const MERGE_PATCH = "application/merge-patch+json";

function secretsPath(namespace: string): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;
}

function query(options: WriteOptions | undefined): string {
  return `?fieldManager=${FIELD_MANAGER}${options?.dryRun === true ? "&dryRun=All" : ""}`;
}

function holds(
  there: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => there[key] === value);
}

class KubernetesWriter implements ClusterWriter {
  readonly #http;

  constructor(connection: Connection, options: HttpOptions) {
    this.#http = new HttpClient(connection, options);
  }

  #checked(place: SecretPlace): SecretPlace {
    if (isSecretName(place.namespace, place.name)) return place;
    throw new CertkeepError("usage", {
      where: `Secret ${JSON.stringify(`${place.namespace}/${place.name}`)}`,
      found: "no API server allows this name",
      todo: "Use small letters, digits, - and .",
    });
  }

  #refuse(action: Action, answer: HttpAnswer): CertkeepError {
    return writeError(this.#http.connection, action, answer);
  }

  async #readRaw(place: SecretPlace): Promise<unknown> {
    const answer = await this.#http.send({
      path: `${secretsPath(place.namespace)}/${encodeURIComponent(place.name)}`,
    });
    if (answer.status === 404) return null;
    if (answer.status !== 200)
      throw this.#refuse({ verb: "get", resource: "secrets", ...place }, answer);
    return this.#http.json(answer);
  }

  /** Whether a write of ours, whose answer was lost, did take effect. */
  async #isOurs(wanted: NewSecret | SecretChange): Promise<boolean> {
    const there = parseSecret(await this.#readRaw(wanted));
    return (
      typeof there !== "string" &&
      holds(there.data, wanted.data) &&
      holds(there.labels, wanted.labels) &&
      holds(there.annotations, wanted.annotations) &&
      (!("type" in wanted) || there.type === wanted.type)
    );
  }

  async #create(
    place: SecretPlace,
    body: object,
    isSame: () => Promise<boolean>,
    write: WriteOptions | undefined,
  ): Promise<WriteOutcome> {
    const answer = await this.#http.send({
      method: "POST",
      path: secretsPath(place.namespace) + query(write),
      accept: AS_METADATA,
      body: JSON.stringify(body),
      repeatable: true,
    });
    if (answer.status === 201 || answer.status === 200) return "done";
    const { reason } = parseStatus(answer.body);
    if (answer.status === 409 && reason === "AlreadyExists")
      return (await isSame()) ? "done" : "conflict";
    if (answer.status === 409 && reason === "Conflict") return "conflict";
    throw this.#refuse({ verb: "create", resource: "secrets", namespace: place.namespace }, answer);
  }

  readonly createSecret: ClusterWriter["createSecret"] = async (secret, write) => {
    const { namespace, name } = this.#checked(secret);
    const { labels, annotations, type, data } = secret;
    const metadata = { namespace, name, labels, annotations };
    const body: V1Secret = { apiVersion: "v1", kind: "Secret", metadata, type, data };
    return this.#create(secret, body, () => this.#isOurs(secret), write);
  };

  readonly createWhole: ClusterWriter["createWhole"] = async (place, whole, write) => {
    const { namespace, name } = this.#checked(place);
    const metadata = { ...whole.metadata, namespace, name };
    const same = async (): Promise<boolean> => {
      const there = fieldsOf(await this.#readRaw(place));
      return (["type", "data", "immutable"] as const).every((key) =>
        isDeepStrictEqual(there[key], whole[key]),
      );
    };
    return this.#create(place, { ...whole, metadata }, same, write);
  };

  readonly patchSecret: ClusterWriter["patchSecret"] = async (change, write) => {
    const { namespace, name } = this.#checked(change);
    const metadata = {
      resourceVersion: change.resourceVersion,
      ...(Object.keys(change.labels).length === 0 ? {} : { labels: change.labels }),
      ...(Object.keys(change.annotations).length === 0 ? {} : { annotations: change.annotations }),
    };
    const answer = await this.#http.send({
      method: "PATCH",
      path: `${secretsPath(namespace)}/${encodeURIComponent(name)}${query(write)}`,
      accept: AS_METADATA,
      contentType: MERGE_PATCH,
      body: JSON.stringify({ metadata, data: change.data } satisfies V1Secret),
      repeatable: true,
    });
    if (answer.status === 200) return "done";
    // Ours may have been the write that got there first, with its answer lost.
    if (answer.status === 409) return (await this.#isOurs(change)) ? "done" : "conflict";
    if (answer.status === 404 && parseStatus(answer.body).reason === "NotFound") return "conflict";
    throw this.#refuse({ verb: "patch", resource: "secrets", namespace, name }, answer);
  };

  readonly readWhole: ClusterWriter["readWhole"] = async (place) => {
    const raw = await this.#readRaw(this.#checked(place));
    return raw === null ? null : (fieldsOf(raw) as V1Secret);
  };

  readonly deleteSecret: ClusterWriter["deleteSecret"] = async (version, write) => {
    const { namespace, name } = this.#checked(version);
    const answer = await this.#http.send({
      method: "DELETE",
      path: `${secretsPath(namespace)}/${encodeURIComponent(name)}`,
      // With a body the server reads no option from the query: a dryRun there would be passed
      // over, and it would delete.
      body: JSON.stringify({
        apiVersion: "v1",
        kind: "DeleteOptions",
        preconditions: { uid: version.uid, resourceVersion: version.resourceVersion },
        ...(write?.dryRun === true ? { dryRun: ["All"] } : {}),
      } satisfies V1DeleteOptions),
      repeatable: true,
    });
    if (answer.status === 200 || answer.status === 202) return "done";
    // Gone is what was wanted, whoever did it.
    if (answer.status === 404 && parseStatus(answer.body).reason === "NotFound") return "done";
    if (answer.status === 409) return "conflict";
    throw this.#refuse({ verb: "delete", resource: "secrets", namespace, name }, answer);
  };

  readonly createNamespace: ClusterWriter["createNamespace"] = async (name, write) => {
    if (!isSecretName(name, "x"))
      throw new CertkeepError("usage", {
        where: `namespace ${JSON.stringify(name)}`,
        found: "no API server allows this name",
        todo: "Use small letters, digits and -",
      });
    const answer = await this.#http.send({
      method: "POST",
      path: `/api/v1/namespaces${query(write)}`,
      accept: AS_METADATA,
      body: JSON.stringify({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name },
      } satisfies V1Namespace),
      repeatable: true,
    });
    if (
      answer.status === 201 ||
      answer.status === 200 ||
      (answer.status === 409 && parseStatus(answer.body).reason === "AlreadyExists")
    )
      return;
    throw this.#refuse({ verb: "create", resource: "namespaces", namespace: null }, answer);
  };

  readonly watchSecrets: ClusterWriter["watchSecrets"] = (scope, signal) =>
    watchSecrets(this.#http.connection, scope, signal);

  readonly close: ClusterWriter["close"] = async () => this.#http.close();
}

/**
 * Makes a writer of the cluster that `connection` leads to. Nothing is asked until a method is
 * called.
 */
export function createClusterWriter(
  connection: Connection,
  options: HttpOptions = {},
): ClusterWriter {
  return new KubernetesWriter(connection, options);
}
