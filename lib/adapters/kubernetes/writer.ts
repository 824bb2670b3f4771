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
import { parseAnswer } from "./json.ts";
import { createHttpClient, type HttpAnswer, type HttpOptions } from "./http.ts";
import { fieldsOf, isSecretName, parseSecret } from "./parse.ts";
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

/**
 * Makes a writer of the cluster that `connection` leads to. Nothing is asked until a method is
 * called.
 */
export function createClusterWriter(
  connection: Connection,
  options: HttpOptions = {},
): ClusterWriter {
  const http = createHttpClient(connection, options);

  const checked = (place: SecretPlace): SecretPlace => {
    if (isSecretName(place.namespace, place.name)) return place;
    throw new CertkeepError("usage", {
      where: `Secret ${JSON.stringify(`${place.namespace}/${place.name}`)}`,
      found: "a name that no API server allows",
      expected: "small letters, digits, - and .",
    });
  };
  const refuse = (action: Action, answer: HttpAnswer): CertkeepError =>
    writeError(connection, action, answer.status, answer.contentType, answer.body);

  const readRaw = async (place: SecretPlace): Promise<unknown> => {
    const answer = await http.send({
      method: "GET",
      path: `${secretsPath(place.namespace)}/${encodeURIComponent(place.name)}`,
      accept: "application/json",
    });
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw refuse({ verb: "get", resource: "secrets", ...place }, answer);
    return parseAnswer(connection, answer);
  };
  /** What is there, to compare with what was to be written. */
  const read = async (place: SecretPlace): Promise<ReturnType<typeof parseSecret> | null> => {
    const raw = await readRaw(place);
    return raw === null ? null : parseSecret(raw);
  };
  /** Whether a write of ours, whose answer was lost, did take effect. */
  const isOurs = async (wanted: NewSecret | SecretChange): Promise<boolean> => {
    const there = await read(wanted);
    if (there === null || typeof there === "string" || !holds(there.data, wanted.data))
      return false;
    return (
      holds(there.labels, wanted.labels) &&
      holds(there.annotations, wanted.annotations) &&
      (!("type" in wanted) || there.type === wanted.type)
    );
  };

  const create = async (
    place: SecretPlace,
    body: object,
    isSame: () => Promise<boolean>,
    write: WriteOptions | undefined,
  ): Promise<WriteOutcome> => {
    const answer = await http.send({
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
    throw refuse({ verb: "create", resource: "secrets", namespace: place.namespace }, answer);
  };

  const createSecret = async (secret: NewSecret, write?: WriteOptions): Promise<WriteOutcome> => {
    const { namespace, name } = checked(secret);
    const { labels, annotations, type, data } = secret;
    const metadata = { namespace, name, labels, annotations };
    const body: V1Secret = { apiVersion: "v1", kind: "Secret", metadata, type, data };
    return create(secret, body, () => isOurs(secret), write);
  };

  const createWhole: ClusterWriter["createWhole"] = async (place, whole, write) => {
    const { namespace, name } = checked(place);
    const metadata = { ...fieldsOf(whole["metadata"]), namespace, name };
    const same = async (): Promise<boolean> => {
      const there = fieldsOf(await readRaw(place));
      return ["type", "data", "immutable"].every((key) =>
        isDeepStrictEqual(there[key], whole[key]),
      );
    };
    return create(place, { ...whole, metadata }, same, write);
  };

  const patchSecret = async (change: SecretChange, write?: WriteOptions): Promise<WriteOutcome> => {
    const { namespace, name } = checked(change);
    const metadata = {
      resourceVersion: change.resourceVersion,
      ...(Object.keys(change.labels).length === 0 ? {} : { labels: change.labels }),
      ...(Object.keys(change.annotations).length === 0 ? {} : { annotations: change.annotations }),
    };
    const answer = await http.send({
      method: "PATCH",
      path: `${secretsPath(namespace)}/${encodeURIComponent(name)}${query(write)}`,
      accept: AS_METADATA,
      contentType: MERGE_PATCH,
      body: JSON.stringify({ metadata, data: change.data } satisfies V1Secret),
      repeatable: true,
    });
    if (answer.status === 200) return "done";
    // Ours may have been the write that got there first, with its answer lost.
    if (answer.status === 409) return (await isOurs(change)) ? "done" : "conflict";
    if (answer.status === 404 && parseStatus(answer.body).reason === "NotFound") return "conflict";
    throw refuse({ verb: "patch", resource: "secrets", namespace, name }, answer);
  };

  return {
    createSecret,
    patchSecret,
    readWhole: async (place) => {
      const raw = await readRaw(checked(place));
      return raw === null ? null : fieldsOf(raw);
    },
    createWhole,
    deleteSecret: async (version, write) => {
      const { namespace, name } = checked(version);
      const answer = await http.send({
        method: "DELETE",
        path: `${secretsPath(namespace)}/${encodeURIComponent(name)}`,
        accept: "application/json",
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
      throw refuse({ verb: "delete", resource: "secrets", namespace, name }, answer);
    },
    createNamespace: async (name, write) => {
      if (!isSecretName(name, "x"))
        throw new CertkeepError("usage", {
          where: `namespace ${JSON.stringify(name)}`,
          found: "a name that no API server allows",
          expected: "small letters, digits and -",
        });
      const answer = await http.send({
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
      throw refuse({ verb: "create", resource: "namespaces", namespace: null }, answer);
    },
    watchSecrets: (scope, signal) => watchSecrets(connection, scope, signal),
    close: async () => http.close(),
  };
}
