/**
 * What a Kubernetes API server answers to the requests that certkeep and its tests make, as a
 * script that runs against any server: the fake API server must give the transcript that a real
 * kube-apiserver gives.
 *
 * A transcript holds statuses and bodies with everything that differs by nature from run to run
 * (uids, versions, times, tokens, generated names) put to a fixed word.
 */
import type { Answer, Client, Headers, KubeObject } from "../e2e/support/client.ts";

/** A rule as RBAC has it, within one namespace, or everywhere where there is none. */
export interface ContractRule {
  readonly verbs: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly namespace?: string;
}

/** The accounts that the script asks with, made by whoever starts the server. */
export const contractAccounts: Readonly<Record<string, readonly ContractRule[]>> = {
  reader: [
    { verbs: ["get", "list"], resources: ["secrets"], namespace: "contract" },
    { verbs: ["get"], resources: ["namespaces"], resourceNames: ["kube-system"] },
  ],
  named: [
    { verbs: ["get"], resources: ["secrets"], resourceNames: ["opaque"], namespace: "contract" },
  ],
};

/** Namespace in which the accounts live and the script works. */
export const contractNamespace = "contract";

export interface ContractServer {
  readonly admin: Client;
  /** A client for one of `contractAccounts`, for a token nobody knows, or without any. */
  readonly clients: Readonly<Record<"reader" | "named" | "stranger" | "anonymous", Client>>;
  /** Makes every continue token given out so far too old. */
  expireContinue(): Promise<void>;
  /** Opens a watch as the administrator and gives the first `count` events. */
  watch(path: string, count: number): Promise<unknown[]>;
}

export interface TranscriptLine {
  readonly step: string;
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

export type Transcript = TranscriptLine[];

const secrets = `/api/v1/namespaces/${contractNamespace}/secrets`;
const b64 = (text: string): string => Buffer.from(text).toString("base64");

const tableAccept = "application/json;as=Table;g=meta.k8s.io;v=v1,application/json";
const metaListAccept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const metaAccept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const merge = { "content-type": "application/merge-patch+json" };
const strategic = { "content-type": "application/strategic-merge-patch+json" };
const jsonPatch = { "content-type": "application/json-patch+json" };
const apply = { "content-type": "application/apply-patch+yaml" };

function secret(
  name: string,
  rest: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): unknown {
  return { apiVersion: "v1", kind: "Secret", metadata: { name, ...metadata }, ...rest };
}

/** Keys whose values differ from run to run. */
const volatile: Readonly<Record<string, string>> = {
  uid: "UID",
  resourceVersion: "VERSION",
  creationTimestamp: "TIME",
  time: "TIME",
  deletionTimestamp: "TIME",
};

/** Replaces what differs by nature between two runs; `names` are names the server made up. */
function normalize(value: unknown, key = ""): unknown {
  if (typeof value === "string") {
    const word = volatile[key];
    if (word !== undefined && value !== "") return word;
    if (key === "continue" && value !== "") return "CONTINUE";
    return (
      value
        .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gu, "UID")
        .replace(/(generated-)[a-z0-9]{5}/gu, "$1RANDOM")
        .replace(/(ResourceVersion in record )\(\d+\)/gu, "$1(VERSION)")
        // The refusal of a patch whose outcome can't be decoded quotes the object, whose order is
        // Go's.
        .replace(/Invalid value: "\{.*\}"/gsu, "Invalid value: OBJECT")
        .replace(/^RBAC: allowed by .*/u, "RBAC: allowed")
        .replace(/(continue key is not valid: ).*/u, "$1WHY")
        .replace(/^\d+s$/u, "AGE")
    );
  }
  if (key === "managedFields" && Array.isArray(value)) {
    // Their order depends on the second in which each was written.
    return value
      .map((entry) => normalize(entry))
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (Array.isArray(value)) return value.map((item) => normalize(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      // Columns are described in other words.
      .filter(([name]) => !(name === "description" && "format" in value))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, normalize(item, name)]),
  );
}

/** Runs the script. */
export async function runApiserverContract(server: ContractServer): Promise<Transcript> {
  const lines: Transcript = [];
  const ask = async (
    step: string,
    method: string,
    path: string,
    body?: unknown,
    headers: Headers = {},
    client: Client = server.admin,
  ): Promise<Answer<KubeObject>> => {
    const answer = await client.request<KubeObject>(method, path, body, headers);
    lines.push({
      step,
      status: answer.status,
      type: (answer.headers["content-type"] ?? "").replace(/;\s*charset.*/u, ""),
      body: normalize(answer.body),
    });
    return answer;
  };
  const { reader, named, stranger, anonymous } = server.clients;

  // Who may ask.
  await ask("health", "GET", "/healthz");
  await ask("cluster identity", "GET", "/api/v1/namespaces/kube-system", undefined, {}, reader);
  await ask(
    "another namespace refused",
    "GET",
    "/api/v1/namespaces/default",
    undefined,
    {},
    reader,
  );
  await ask("unknown token", "GET", secrets, undefined, {}, stranger);
  await ask("no token", "GET", secrets, undefined, {}, anonymous);
  await ask("list refused at the cluster scope", "GET", "/api/v1/secrets", undefined, {}, reader);
  await ask(
    "list refused in a namespace",
    "GET",
    "/api/v1/namespaces/default/secrets",
    undefined,
    {},
    reader,
  );
  await ask("get refused", "GET", `${secrets}/other`, undefined, {}, named);
  await ask("get allowed by name, nothing there", "GET", `${secrets}/opaque`, undefined, {}, named);
  await ask("create refused", "POST", secrets, secret("x"), {}, reader);
  await ask("patch refused", "PATCH", `${secrets}/x`, {}, merge, reader);
  await ask("delete refused", "DELETE", `${secrets}/x`, undefined, {}, reader);
  await ask("watch refused", "GET", `${secrets}?watch=true`, undefined, {}, reader);
  await ask(
    "other group refused",
    "GET",
    "/apis/networking.k8s.io/v1/ingresses",
    undefined,
    {},
    reader,
  );

  // What is not there.
  await ask("unknown namespace", "GET", "/api/v1/namespaces/nowhere");
  await ask("unknown secret", "GET", `${secrets}/nothing`);
  await ask("list in an unknown namespace", "GET", "/api/v1/namespaces/nowhere/secrets");
  await ask(
    "create in an unknown namespace",
    "POST",
    "/api/v1/namespaces/nowhere/secrets",
    secret("x"),
  );
  await ask("patch of nothing", "PATCH", `${secrets}/nothing`, { data: {} }, merge);
  await ask("update of nothing", "PUT", `${secrets}/nothing`, secret("nothing"));
  await ask("delete of nothing", "DELETE", `${secrets}/nothing`);
  await ask("unknown resource", "GET", "/api/v1/namespaces/contract/sekrets");
  await ask("unknown group", "GET", "/apis/nobody.example/v1/things");
  await ask("unacceptable form", "GET", secrets, undefined, { accept: "text/html" });

  // Creating.
  await ask(
    "create",
    "POST",
    secrets,
    secret(
      "opaque",
      { data: { a: b64("1") }, stringData: { b: "2" } },
      { labels: { app: "web", tier: "front" } },
    ),
  );
  await ask("create again", "POST", secrets, secret("opaque"));
  await ask("create with an impossible name", "POST", secrets, secret("No_Name"));
  await ask("create without a name", "POST", secrets, { apiVersion: "v1", kind: "Secret" });
  const generated = await ask("create with a generated name", "POST", secrets, {
    metadata: { generateName: "generated-" },
    data: {},
  });
  await ask(
    "create tls without its fields",
    "POST",
    secrets,
    secret("tls", { type: "kubernetes.io/tls" }),
  );
  await ask(
    "create tls",
    "POST",
    secrets,
    secret(
      "tls",
      { type: "kubernetes.io/tls", data: { "tls.crt": "", "tls.key": "" } },
      { labels: { app: "api" } },
    ),
  );
  await ask("create with bad base64", "POST", secrets, secret("bad", { data: { a: "a*b=" } }));
  await ask(
    "create with a value that is no text",
    "POST",
    secrets,
    secret("bad", { data: { a: 5 } }),
  );
  await ask(
    "create with an impossible key",
    "POST",
    secrets,
    secret("bad", { data: { "a b": "" } }),
  );
  // One mistake each: their order in an answer is that of a Go map, and changes.
  await ask(
    "create with an impossible label",
    "POST",
    secrets,
    secret("bad", {}, { labels: { "a b": "c" } }),
  );
  await ask(
    "create with an impossible label value",
    "POST",
    secrets,
    secret("bad", {}, { labels: { d: "not valid" } }),
  );
  await ask(
    "create with a label value too long",
    "POST",
    secrets,
    secret("bad", {}, { labels: { d: "x".repeat(64) } }),
  );
  await ask(
    "create with labels that are no map",
    "POST",
    secrets,
    secret("bad", {}, { labels: [] }),
  );
  await ask(
    "create with line breaks in base64",
    "POST",
    `${secrets}?dryRun=All`,
    secret("folded", { data: { a: "YWJj\nZGVm\r\n" } }),
  );
  await ask(
    "create with base64 too short",
    "POST",
    secrets,
    secret("bad", { data: { a: "YWJjZA" } }),
  );
  await ask(
    "create with base64 too long",
    "POST",
    secrets,
    secret("bad", { data: { a: "YQ==YQ==" } }),
  );
  await ask(
    "create with a value that is null",
    "POST",
    `${secrets}?dryRun=All`,
    secret("nothing-in-it", { data: { a: null } }),
  );
  await ask(
    "create with text over bytes",
    "POST",
    `${secrets}?dryRun=All`,
    secret("both", { data: { a: b64("1") }, stringData: { a: "2" } }),
  );
  await ask("create with data that is no map", "POST", secrets, secret("bad", { data: ["a"] }));
  await ask(
    "create with a body too large",
    "POST",
    secrets,
    secret("huge", { data: { a: "A".repeat(3_300_000) } }),
  );
  await ask("create over a name", "POST", `${secrets}/opaque`, secret("opaque"));
  await ask(
    "create too large",
    "POST",
    secrets,
    secret("large", { data: { a: b64("x".repeat(1_048_577)) } }),
  );
  await ask("create, half a body", "POST", secrets, '{"metadata":');
  await ask("create, another kind", "POST", secrets, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x" },
  });
  await ask("create, another version", "POST", secrets, {
    apiVersion: "v2",
    kind: "Secret",
    metadata: { name: "x" },
  });
  await ask(
    "create in another namespace than its own",
    "POST",
    secrets,
    secret("x", {}, { namespace: "default" }),
  );
  await ask(
    "create with a version",
    "POST",
    secrets,
    secret("versioned", {}, { resourceVersion: "12" }),
  );
  await ask("create, unknown media type", "POST", secrets, secret("x"), {
    "content-type": "text/plain",
  });
  await ask(
    "create, for show",
    "POST",
    `${secrets}?dryRun=All`,
    secret("dry", { stringData: { a: "1" } }),
  );
  await ask("the one for show is not there", "GET", `${secrets}/dry`);
  await ask("create, bad dryRun", "POST", `${secrets}?dryRun=Some`, secret("dry"));
  await ask(
    "create immutable",
    "POST",
    secrets,
    secret("fixed", { immutable: true, data: { a: b64("1") } }),
  );

  // Reading.
  await ask("get", "GET", `${secrets}/opaque`);
  await ask("get by name alone", "GET", `${secrets}/opaque`, undefined, {}, named);
  await ask("get as metadata", "GET", `${secrets}/opaque`, undefined, { accept: metaAccept });
  await ask("get as table", "GET", `${secrets}/opaque?includeObject=Metadata`, undefined, {
    accept: tableAccept,
  });
  await ask("list", "GET", secrets, undefined, {}, reader);
  await ask("list as metadata", "GET", secrets, undefined, { accept: metaListAccept });
  await ask("list as table", "GET", `${secrets}?includeObject=Metadata`, undefined, {
    accept: tableAccept,
  });
  await ask(
    "list as table without objects",
    "GET",
    `${secrets}?includeObject=None&limit=1`,
    undefined,
    { accept: tableAccept },
  );
  await ask("list of nothing as table", "GET", "/api/v1/namespaces/default/secrets", undefined, {
    accept: tableAccept,
  });
  await ask("unknown secret as table", "GET", `${secrets}/nothing`, undefined, {
    accept: tableAccept,
  });
  await ask("list as metadata of one", "GET", secrets, undefined, { accept: metaAccept });
  await ask("list from the cache", "GET", `${secrets}?resourceVersion=0`, undefined, {
    accept: metaListAccept,
  });
  await ask(
    "list in one namespace of all",
    "GET",
    `/api/v1/secrets?fieldSelector=metadata.namespace%3D${contractNamespace}`,
  );
  for (const selector of [
    "app=web",
    "app==web",
    "app!=web",
    "app",
    "!app",
    "app in (web, api)",
    "app notin (web)",
    "app=web,tier=front",
    "",
  ]) {
    await ask(
      `label ${selector}`,
      "GET",
      `${secrets}?labelSelector=${encodeURIComponent(selector)}`,
      undefined,
      { accept: metaListAccept },
    );
  }
  for (const selector of [
    "type=kubernetes.io/tls",
    "type!=kubernetes.io/tls",
    "metadata.name=opaque",
    "metadata.name!=opaque,type=Opaque",
    "type==Opaque",
  ]) {
    await ask(
      `field ${selector}`,
      "GET",
      `${secrets}?fieldSelector=${encodeURIComponent(selector)}`,
      undefined,
      { accept: metaListAccept },
    );
  }
  await ask(
    "bad label selector",
    "GET",
    `${secrets}?labelSelector=${encodeURIComponent("a in b")}`,
  );
  await ask("unknown field selector", "GET", `${secrets}?fieldSelector=data.a%3D1`);
  await ask("bad field selector", "GET", `${secrets}?fieldSelector=nonsense`);
  await ask("bad limit", "GET", `${secrets}?limit=many`);
  await ask("bad continue", "GET", `${secrets}?limit=1&continue=bm9uc2Vuc2U`);

  // Paging, and what became of it.
  const first = await ask("first page", "GET", `${secrets}?limit=1`, undefined, {
    accept: metaListAccept,
  });
  const token = first.body.metadata.continue ?? "";
  const second = await ask(
    "second page",
    "GET",
    `${secrets}?limit=1&continue=${token}`,
    undefined,
    { accept: metaListAccept },
  );
  await ask(
    "page as table",
    "GET",
    `${secrets}?limit=1&continue=${token}&includeObject=Metadata`,
    undefined,
    { accept: tableAccept },
  );
  await ask(
    "last page",
    "GET",
    `${secrets}?continue=${second.body.metadata.continue ?? ""}`,
    undefined,
    { accept: metaListAccept },
  );
  await ask(
    "continue with a version",
    "GET",
    `${secrets}?limit=1&resourceVersion=1&continue=${token}`,
  );
  await ask("page by label", "GET", `${secrets}?limit=1&labelSelector=app`, undefined, {
    accept: metaListAccept,
  });
  await ask("add something between two pages", "POST", secrets, secret("zulu"));
  await server.expireContinue();
  const gone = await ask("continue too late", "GET", `${secrets}?limit=1&continue=${token}`);
  const rest = gone.body.metadata.continue ?? "";
  await ask("continue with what is now", "GET", `${secrets}?limit=2&continue=${rest}`, undefined, {
    accept: metaListAccept,
  });

  // Changing.
  await ask(
    "merge",
    "PATCH",
    `${secrets}/opaque?fieldManager=merger`,
    { data: { c: b64("3"), a: null }, metadata: { annotations: { note: "x" } } },
    merge,
  );
  await ask(
    "merge nothing",
    "PATCH",
    `${secrets}/opaque?fieldManager=merger`,
    { data: { c: b64("3") } },
    merge,
  );
  await ask(
    "merge with stringData",
    "PATCH",
    `${secrets}/opaque`,
    { stringData: { d: "4" } },
    strategic,
  );
  await ask(
    "merge with a stale version",
    "PATCH",
    `${secrets}/opaque`,
    { metadata: { resourceVersion: "1" }, data: {} },
    merge,
  );
  await ask(
    "merge another uid",
    "PATCH",
    `${secrets}/opaque`,
    { metadata: { uid: "00000000-0000-4000-8000-000000000000" } },
    merge,
  );
  await ask(
    "merge another type",
    "PATCH",
    `${secrets}/opaque`,
    { type: "example.com/other" },
    merge,
  );
  await ask(
    "merge another name",
    "PATCH",
    `${secrets}/opaque`,
    { metadata: { name: "other" } },
    merge,
  );
  await ask("merge bad base64", "PATCH", `${secrets}/opaque`, { data: { e: "***" } }, merge);
  await ask(
    "merge, answered as metadata",
    "PATCH",
    `${secrets}/opaque?fieldManager=merger`,
    { metadata: { labels: { tier: "back" } } },
    { ...merge, accept: metaAccept },
  );
  await ask("merge, half a body", "PATCH", `${secrets}/opaque`, '{"data":', merge);
  await ask(
    "merge for show",
    "PATCH",
    `${secrets}/opaque?dryRun=All`,
    { data: { f: b64("6") } },
    merge,
  );
  await ask(
    "empty the fields of tls",
    "PATCH",
    `${secrets}/tls`,
    { data: { "tls.crt": b64("c"), "tls.key": null } },
    merge,
  );
  await ask(
    "fill the fields of tls",
    "PATCH",
    `${secrets}/tls?fieldManager=filler`,
    { data: { "tls.crt": b64("c"), "tls.key": b64("k") } },
    merge,
  );
  await ask(
    "JSON patch",
    "PATCH",
    `${secrets}/tls?fieldManager=patcher`,
    [
      { op: "test", path: "/data/tls.crt", value: b64("c") },
      { op: "replace", path: "/data/tls.crt", value: b64("d") },
      { op: "add", path: "/metadata/labels/with~1slash", value: "y" },
      { op: "remove", path: "/metadata/labels/app" },
    ],
    jsonPatch,
  );
  await ask(
    "JSON patch, failed test",
    "PATCH",
    `${secrets}/tls`,
    [{ op: "test", path: "/data/tls.crt", value: "x" }],
    jsonPatch,
  );
  await ask(
    "JSON patch, nothing to replace",
    "PATCH",
    `${secrets}/tls`,
    [{ op: "replace", path: "/data/nothing", value: "x" }],
    jsonPatch,
  );
  await ask(
    "JSON patch, nothing to remove",
    "PATCH",
    `${secrets}/tls`,
    [{ op: "remove", path: "/data/nothing" }],
    jsonPatch,
  );
  await ask(
    "JSON patch, an unknown step",
    "PATCH",
    `${secrets}/tls`,
    [{ op: "shake", path: "/data/nothing" }],
    jsonPatch,
  );
  await ask(
    "JSON patch on the version",
    "PATCH",
    `${secrets}/tls`,
    [{ op: "test", path: "/metadata/resourceVersion", value: "1" }],
    jsonPatch,
  );
  await ask("JSON patch that isn't one", "PATCH", `${secrets}/tls`, { op: "test" }, jsonPatch);
  await ask(
    "patch of an unknown kind",
    "PATCH",
    `${secrets}/tls`,
    {},
    { "content-type": "application/json" },
  );
  await ask(
    "change an immutable one",
    "PATCH",
    `${secrets}/fixed`,
    { data: { a: b64("2") } },
    merge,
  );
  await ask(
    "change its labels",
    "PATCH",
    `${secrets}/fixed`,
    { metadata: { labels: { x: "y" } } },
    merge,
  );
  await ask("unset immutable", "PATCH", `${secrets}/fixed`, { immutable: null }, merge);

  const live = await ask("get before the update", "GET", `${secrets}/opaque`);
  const changed = { ...live.body, data: { only: b64("1") } };
  await ask("update", "PUT", `${secrets}/opaque?fieldManager=updater`, changed);
  await ask("update with a stale version", "PUT", `${secrets}/opaque`, changed);
  await ask(
    "update without a version",
    "PUT",
    `${secrets}/opaque?fieldManager=updater`,
    secret("opaque", { type: "Opaque", data: { only: b64("2") } }),
  );
  await ask(
    "update of another uid",
    "PUT",
    `${secrets}/opaque`,
    secret("opaque", { type: "Opaque" }, { uid: "00000000-0000-4000-8000-000000000000" }),
  );
  await ask("update with half a body", "PUT", `${secrets}/opaque`, '{"metadata"');
  await ask("update under another name", "PUT", `${secrets}/opaque`, secret("other"));
  await ask(
    "update to another type",
    "PUT",
    `${secrets}/opaque`,
    secret("opaque", { type: "example.com/other" }),
  );

  // Server-side apply.
  const applied = (data: Record<string, string>, metadata: Record<string, unknown> = {}): unknown =>
    secret("applied", { type: "Opaque", data }, metadata);
  await ask("apply without a manager", "PATCH", `${secrets}/applied`, applied({}), apply);
  await ask(
    "apply",
    "PATCH",
    `${secrets}/applied?fieldManager=one`,
    applied({ a: b64("1"), b: b64("2") }, { labels: { l: "1" } }),
    apply,
  );
  await ask(
    "apply again",
    "PATCH",
    `${secrets}/applied?fieldManager=one`,
    applied({ a: b64("1"), b: b64("2") }, { labels: { l: "1" } }),
    apply,
  );
  await ask(
    "apply by another, conflict",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    applied({ a: b64("9") }),
    apply,
  );
  await ask(
    "apply by another, two conflicts",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    applied({ a: b64("9"), b: b64("9") }),
    apply,
  );
  await ask(
    "apply by another, the same value",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    applied({ a: b64("1") }),
    apply,
  );
  await ask(
    "apply by force",
    "PATCH",
    `${secrets}/applied?fieldManager=two&force=true`,
    applied({ a: b64("9"), c: b64("3") }),
    apply,
  );
  await ask(
    "apply less",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    applied({ a: b64("9") }),
    apply,
  );
  await ask(
    "update what was applied",
    "PATCH",
    `${secrets}/applied?fieldManager=three`,
    { data: { a: b64("8") } },
    merge,
  );
  await ask(
    "apply over an update, conflict",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    applied({ a: b64("9") }),
    apply,
  );
  await ask(
    "apply for show",
    "PATCH",
    `${secrets}/applied?fieldManager=two&force=true&dryRun=All`,
    applied({ a: b64("9") }),
    apply,
  );
  await ask(
    "apply something new for show",
    "PATCH",
    `${secrets}/shown?fieldManager=two&dryRun=All`,
    secret("shown", { data: { a: b64("1") } }),
    apply,
  );
  await ask(
    "apply bad base64",
    "PATCH",
    `${secrets}/applied?fieldManager=two&force=true`,
    applied({ a: "***" }),
    apply,
  );
  await ask(
    "apply with text",
    "PATCH",
    `${secrets}/texts?fieldManager=one`,
    secret("texts", { stringData: { a: "1" } }),
    apply,
  );
  await ask(
    "apply with text again",
    "PATCH",
    `${secrets}/texts?fieldManager=one`,
    secret("texts", { stringData: { a: "2" } }),
    apply,
  );
  await ask(
    "apply in another namespace",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    secret("applied", {}, { namespace: "default" }),
    apply,
  );
  await ask(
    "apply in an unknown namespace",
    "PATCH",
    "/api/v1/namespaces/nowhere/secrets/x?fieldManager=two",
    secret("x"),
    apply,
  );
  await ask(
    "apply to what is immutable",
    "PATCH",
    `${secrets}/fixed?fieldManager=two&force=true`,
    secret("fixed", { data: { a: b64("2") } }),
    apply,
  );
  await ask(
    "apply as YAML",
    "PATCH",
    `${secrets}/applied?fieldManager=yaml&force=true`,
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: applied\ndata:\n  text: eQ==\n",
    apply,
  );
  await ask(
    "apply with managed fields",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    applied({}, { managedFields: [] }),
    apply,
  );
  await ask(
    "apply a wrong name",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    secret("other"),
    apply,
  );
  await ask(
    "apply without a kind",
    "PATCH",
    `${secrets}/applied?fieldManager=two`,
    { data: {} },
    apply,
  );
  await ask(
    "apply with a stale version",
    "PATCH",
    `${secrets}/applied?fieldManager=two&force=true`,
    applied({ a: b64("7") }, { resourceVersion: "1" }),
    apply,
  );
  await ask("merge with force", "PATCH", `${secrets}/applied?force=true`, {}, merge);
  await ask(
    "apply with owner and finalizer",
    "PATCH",
    `${secrets}/owned?fieldManager=one`,
    secret(
      "owned",
      {},
      {
        finalizers: ["example.com/hold"],
        ownerReferences: [
          {
            apiVersion: "v1",
            kind: "Namespace",
            name: "x",
            uid: "00000000-0000-4000-8000-000000000000",
          },
        ],
      },
    ),
    apply,
  );

  // What others change is seen.
  const seen = await server.watch(`${secrets}?watch=true&fieldSelector=metadata.name%3Dopaque`, 1);
  lines.push({ step: "watch", status: 200, type: "", body: normalize(seen) });

  // Removing.
  const uid = "00000000-0000-4000-8000-000000000000";
  await ask("delete another uid", "DELETE", `${secrets}/opaque`, { preconditions: { uid } });
  await ask("delete a stale version", "DELETE", `${secrets}/opaque`, {
    preconditions: { resourceVersion: "1" },
  });
  await ask("delete for show, said in the body", "DELETE", `${secrets}/opaque`, {
    kind: "DeleteOptions",
    apiVersion: "v1",
    dryRun: ["All"],
  });
  await ask("delete for show", "DELETE", `${secrets}/opaque?dryRun=All`);
  await ask("delete", "DELETE", `${secrets}/opaque`);
  await ask("delete again", "DELETE", `${secrets}/opaque`);
  await ask(
    "delete the generated one",
    "DELETE",
    `${secrets}/${generated.body.metadata.name ?? ""}`,
  );
  await ask("delete what a finalizer holds", "DELETE", `${secrets}/owned`);
  await ask("let it go", "PATCH", `${secrets}/owned`, { metadata: { finalizers: null } }, merge);
  await ask("it is gone", "GET", `${secrets}/owned`);

  // May somebody do something?
  const review = "/apis/authorization.k8s.io/v1";
  const attributes = { namespace: contractNamespace, verb: "list", resource: "secrets" };
  await ask(
    "may I",
    "POST",
    `${review}/selfsubjectaccessreviews`,
    { spec: { resourceAttributes: attributes } },
    {},
    reader,
  );
  await ask(
    "may I write",
    "POST",
    `${review}/selfsubjectaccessreviews`,
    { spec: { resourceAttributes: { ...attributes, verb: "patch" } } },
    {},
    reader,
  );
  await ask("may they", "POST", `${review}/subjectaccessreviews`, {
    spec: {
      user: `system:serviceaccount:${contractNamespace}:named`,
      resourceAttributes: { ...attributes, verb: "get", name: "opaque" },
    },
  });
  await ask("may they get another", "POST", `${review}/subjectaccessreviews`, {
    spec: {
      user: `system:serviceaccount:${contractNamespace}:named`,
      resourceAttributes: { ...attributes, verb: "get", name: "other" },
    },
  });
  await ask(
    "reviewing refused",
    "POST",
    `${review}/subjectaccessreviews`,
    { spec: { user: "x", resourceAttributes: attributes } },
    {},
    named,
  );
  await ask("may nobody", "POST", `${review}/subjectaccessreviews`, {
    spec: { resourceAttributes: attributes },
  });

  // Other kinds.
  await ask("create a namespace", "POST", "/api/v1/namespaces", {
    metadata: { name: "contract-two" },
  });
  await ask("create a namespace again", "POST", "/api/v1/namespaces", {
    metadata: { name: "contract-two" },
  });
  await ask("create a namespace with an impossible name", "POST", "/api/v1/namespaces", {
    metadata: { name: "a.b" },
  });
  await ask("delete a namespace", "DELETE", "/api/v1/namespaces/contract-two");
  await ask(
    "create an ingress",
    "POST",
    `/apis/networking.k8s.io/v1/namespaces/${contractNamespace}/ingresses`,
    {
      metadata: { name: "web" },
      spec: {
        ingressClassName: "tailscale",
        defaultBackend: { service: { name: "web", port: { number: 80 } } },
        tls: [{ hosts: ["web"] }],
      },
    },
  );
  await ask(
    "get an ingress",
    "GET",
    `/apis/networking.k8s.io/v1/namespaces/${contractNamespace}/ingresses/web`,
  );
  await ask(
    "an ingress that isn't there",
    "GET",
    `/apis/networking.k8s.io/v1/namespaces/${contractNamespace}/ingresses/nothing`,
  );
  await ask(
    "create a service account",
    "POST",
    `/api/v1/namespaces/${contractNamespace}/serviceaccounts`,
    { metadata: { name: "robot" } },
  );
  return lines;
}
