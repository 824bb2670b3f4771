/**
 * S3 and Secrets Manager in memory behind HTTP, as far as the stores ask of them: for tests without
 * an emulator. It says what AWS says where emulators differ (a name that is scheduled for
 * deletion), signs nothing and checks no signature. `fault` answers in its place.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { AwsWorld } from "../../lib/adapters/aws/client.ts";

export interface AwsRequest {
  readonly method: string;
  readonly url: URL;
  /** `CreateSecret`, …; empty for S3. */
  readonly action: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface AwsAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

interface FakeObject {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

interface FakeVersion {
  readonly value: unknown;
  readonly stages: Set<string>;
}

interface FakeSecret {
  /** As it was made. */
  readonly input: Readonly<Record<string, unknown>>;
  deleted: boolean;
  /** By their ids; the first is that of `input`. */
  readonly versions: Map<string, FakeVersion>;
}

/** A label is on one version at most; whoever loses AWSCURRENT gets AWSPREVIOUS. */
function label({ versions }: FakeSecret, stage: string, id: string): void {
  for (const [other, { stages }] of versions)
    if (other !== id && stages.delete(stage) && stage === "AWSCURRENT")
      label({ versions } as FakeSecret, "AWSPREVIOUS", other);
  versions.get(id)?.stages.add(stage);
  if (stage === "AWSCURRENT") versions.get(id)?.stages.delete("AWSPREVIOUS");
}

export interface FakeAws {
  readonly world: AwsWorld;
  readonly requests: readonly AwsRequest[];
  readonly objects: Map<string, FakeObject>;
  readonly secrets: Map<string, FakeSecret>;
  /** `null`: as AWS. Whatever was asked before is forgotten. */
  fault(decide: (request: AwsRequest, seen: number) => AwsAnswer | null): void;
  /** Answers in place of what AWS answered, once it was done. */
  lose(decide: (request: AwsRequest) => AwsAnswer | null): void;
  /** Empty, and without faults. */
  reset(): void;
  stop(): Promise<void>;
}

const PAGE = 100;

const s3Error = (status: number, code: string): AwsAnswer => ({
  status,
  headers: { "content-type": "application/xml" },
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
});
const secretsError = (name: string): AwsAnswer => ({
  status: 400,
  headers: { "content-type": "application/x-amz-json-1.1" },
  body: JSON.stringify({ __type: name, message: "no" }),
});
const secretsAnswer = (body: object): AwsAnswer => ({
  status: 200,
  headers: { "content-type": "application/x-amz-json-1.1" },
  body: JSON.stringify(body),
});

/**
 * The SDK looks for credentials in the process's own environment: they are put there for as long as
 * it runs.
 */
export async function startFakeAws(): Promise<FakeAws> {
  const before = { ...process.env };
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_EC2_METADATA_DISABLED: "true",
  });
  const objects = new Map<string, FakeObject>();
  const secrets = new Map<string, FakeSecret>();
  let requests: AwsRequest[] = [];
  let decide: (request: AwsRequest, seen: number) => AwsAnswer | null = () => null;
  let lost: (request: AwsRequest) => AwsAnswer | null = () => null;

  const list = ({ url }: AwsRequest): AwsAnswer => {
    const bucket = `${url.pathname.split("/")[1] ?? ""}/`;
    const prefix = url.searchParams.get("prefix") ?? "";
    const flat = url.searchParams.get("delimiter") === "/";
    const all = [...objects]
      .filter(
        ([key]) =>
          key.startsWith(bucket + prefix) &&
          !(flat && key.slice(bucket.length + prefix.length).includes("/")),
      )
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const from = Number(url.searchParams.get("continuation-token") ?? 0);
    const page = all
      .slice(from, from + PAGE)
      .map(
        ([key, { body }]) =>
          `<Contents><Key>${key.slice(bucket.length)}</Key><Size>${body.length}</Size></Contents>`,
      );
    const more = from + PAGE < all.length;
    return {
      status: 200,
      headers: { "content-type": "application/xml" },
      body:
        "<?xml " +
        `version="1.0"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${more ? `<NextContinuationToken>${from + PAGE}</NextContinuationToken>` : ""}${page.join("")}</ListBucketResult>`,
    };
  };

  const s3 = (request: AwsRequest): AwsAnswer => {
    const { method, url, headers, body } = request;
    if (url.searchParams.has("list-type")) return list(request);
    const key = decodeURIComponent(url.pathname.slice(1));
    const known = objects.get(key);
    if (method === "PUT") {
      if (headers["if-none-match"] === "*" && known !== undefined)
        return s3Error(412, "PreconditionFailed");
      if (headers["if-match"] !== undefined && known === undefined)
        return s3Error(404, "NoSuchKey");
      if (headers["if-match"] !== undefined && headers["if-match"] !== known?.headers["etag"])
        return s3Error(412, "PreconditionFailed");
      const etag = `"${createHash("md5").update(body).digest("hex")}"`;
      const kept = Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith("x-amz-meta-") ||
        name.startsWith("x-amz-checksum-") ||
        name === "content-encoding"
          ? [[name, String(value)] as const]
          : [],
      );
      objects.set(key, { body, headers: { ...Object.fromEntries(kept), etag } });
      return { status: 200, headers: { etag } };
    }
    if (method === "DELETE") {
      objects.delete(key);
      return { status: 204 };
    }
    if (known === undefined) return method === "HEAD" ? { status: 404 } : s3Error(404, "NoSuchKey");
    return {
      status: 200,
      headers: { ...known.headers, "content-length": String(known.body.length) },
      ...(method === "HEAD" ? {} : { body: known.body }),
    };
  };

  const secretsManager = ({ action, body }: AwsRequest): AwsAnswer => {
    const input = JSON.parse(body.toString("utf8")) as Record<string, unknown> & {
      Filters?: { Values: string[] }[];
    };
    const name = String(input["Name"] ?? input["SecretId"] ?? "");
    const known = secrets.get(name);
    if (action === "CreateSecret") {
      if (known?.deleted === true) return secretsError("InvalidRequestException");
      if (known?.input["ClientRequestToken"] === input["ClientRequestToken"] && known !== undefined)
        return secretsAnswer({ Name: name });
      if (known !== undefined) return secretsError("ResourceExistsException");
      const VersionId = randomUUID();
      const value = input["SecretString"] ?? input["SecretBinary"];
      secrets.set(name, {
        input,
        deleted: false,
        versions: new Map(
          value === undefined ? [] : [[VersionId, { value, stages: new Set(["AWSCURRENT"]) }]],
        ),
      });
      return secretsAnswer({ Name: name, VersionId });
    }
    if (action === "ListSecrets") {
      const wanted = input.Filters?.[0]?.Values[0] ?? "";
      const all = [...secrets].filter(([key, { deleted }]) => key.startsWith(wanted) && !deleted);
      const from = Number(input["NextToken"] ?? 0);
      return secretsAnswer({
        SecretList: all.slice(from, from + PAGE).map(([Name, secret]) => ({
          Name,
          Tags: secret.input["Tags"],
          Description: secret.input["Description"],
        })),
        ...(from + PAGE < all.length ? { NextToken: String(from + PAGE) } : {}),
      });
    }
    if (action === "DeleteSecret") {
      if (known === undefined && input["ForceDeleteWithoutRecovery"] !== true)
        return secretsError("ResourceNotFoundException");
      if (input["ForceDeleteWithoutRecovery"] === true) secrets.delete(name);
      else if (known !== undefined) known.deleted = true;
      return secretsAnswer({ Name: name });
    }
    if (known === undefined) return secretsError("ResourceNotFoundException");
    if (action === "DescribeSecret")
      return secretsAnswer({
        Name: name,
        ...(known.deleted ? { DeletedDate: 1 } : {}),
        VersionIdsToStages: Object.fromEntries(
          [...known.versions].map(([id, { stages }]) => [id, [...stages]]),
        ),
      });
    if (action === "RestoreSecret") {
      known.deleted = false;
      return secretsAnswer({ Name: name });
    }
    if (known.deleted) return secretsError("InvalidRequestException");
    if (action === "PutSecretValue") {
      const id = String(input["ClientRequestToken"]);
      const stages = (input["VersionStages"] as string[] | undefined) ?? ["AWSCURRENT"];
      if (!known.versions.has(id))
        known.versions.set(id, { value: input["SecretString"], stages: new Set() });
      for (const stage of known.versions.size === 1 ? [...stages, "AWSCURRENT"] : stages)
        label(known, stage, id);
      return secretsAnswer({ Name: name, VersionId: id });
    }
    if (action === "UpdateSecretVersionStage") {
      const stage = String(input["VersionStage"]);
      const holder = [...known.versions].find(([, { stages }]) => stages.has(stage))?.[0];
      if (holder !== input["RemoveFromVersionId"]) return secretsError("InvalidParameterException");
      label(known, stage, String(input["MoveToVersionId"]));
      return secretsAnswer({ Name: name });
    }
    if (action !== "GetSecretValue") return secretsError("UnsupportedOperation");
    const current = [...known.versions].find(([, { stages }]) =>
      stages.has(String(input["VersionStage"] ?? "AWSCURRENT")),
    );
    if (current === undefined) return secretsError("ResourceNotFoundException");
    const [VersionId, { value, stages }] = current;
    return secretsAnswer({
      Name: name,
      VersionId,
      VersionStages: [...stages],
      ...(known.input["SecretBinary"] === undefined
        ? { SecretString: value }
        : { SecretBinary: value }),
    });
  };

  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.once("end", () => {
      const request: AwsRequest = {
        method: incoming.method ?? "",
        url: new URL(incoming.url ?? "/", "http://fake"),
        action: String(incoming.headers["x-amz-target"] ?? "").replace(/^.*\./, ""),
        headers: incoming.headers,
        body: Buffer.concat(parts),
      };
      requests.push(request);
      const given = decide(request, requests.length);
      const done = given ?? (request.action === "" ? s3(request) : secretsManager(request));
      const answer = given === null ? (lost(request) ?? done) : given;
      outgoing.writeHead(answer.status, answer.headers).end(answer.body ?? "");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    world: {
      env: {
        AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        AWS_REGION: "eu-west-1",
      },
    },
    get requests() {
      return requests;
    },
    objects,
    secrets,
    fault: (next) => {
      requests = [];
      decide = next;
    },
    lose: (next) => {
      lost = next;
    },
    reset: () => {
      objects.clear();
      secrets.clear();
      requests = [];
      [decide, lost] = [() => null, () => null];
    },
    stop: async () => {
      process.env = before;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
