/**
 * Restores in a test: the world of an audit, with a writer, an opener, and Secrets of every shape.
 */
import { codesOf } from "../../lib/restoreplan/item.ts";
import { itemTitle, whyText } from "../../lib/report/phrases/plan.ts";
import { noteText } from "../../lib/report/phrases/plannotes.ts";
import { connect } from "../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../lib/adapters/kubernetes/kubeconfig.ts";
import { createClusterWriter } from "../../lib/adapters/kubernetes/writer.ts";
import { realTimer } from "../../lib/adapters/timer.ts";
import type { KubeconfigChoice, PutObject, Sandbox } from "../fake-apiserver/api.ts";
import type { Issued } from "./pki.ts";
import { createKey, keyPemOf } from "./x509.ts";
import { runRestore } from "../../lib/usecases/restore.ts";
import type {
  RestorePorts,
  RestoreReport,
  RestoreRequest,
  RestoreTarget,
} from "../../lib/usecases/restore/context.ts";
import { base64, type AuditChoice, type World } from "./world.ts";

export const REQUEST: RestoreRequest = {
  names: [],
  namespace: null,
  all: false,
  asOfMs: null,
  version: null,
  as: null,
  rebuilt: false,
  fromCluster: null,
  unrecorded: false,
  standby: false,
  force: new Set(),
  replace: false,
  createNamespace: false,
  mode: "apply",
  followMs: null,
};

let holders = 0;

export interface RestoreChoice extends AuditChoice {
  readonly restorePorts?: Partial<RestorePorts>;
  readonly sandbox?: Sandbox;
  /** How that one is reached, where it isn't by its own kubeconfig. */
  readonly reached?: KubeconfigChoice;
  readonly target?: Partial<RestoreTarget>;
}

export async function restoreTarget(
  world: World,
  choice: RestoreChoice = {},
): Promise<RestoreTarget> {
  const sandbox = choice.sandbox ?? world.sandbox;
  const text = sandbox.kubeconfig({
    ...(choice.token === undefined ? {} : { token: choice.token }),
    ...choice.reached,
  });
  const connection = await connect(parseKubeconfig(text, "sandbox.yaml"), null, {
    environment: {},
    nowMs: () => world.nowMs,
  });
  const patient = { requestTimeoutMs: 2_000, attempts: 2, sleep: async () => {} };
  const target = await world.target(choice);
  const { createClusterReader } = await import("../../lib/adapters/kubernetes/reader.ts");
  return {
    ...target,
    server: connection.server.href.replace(/\/$/, ""),
    reader: createClusterReader(connection, patient),
    writer: createClusterWriter(connection, patient),
    ...choice.target,
  };
}

function restorePorts(world: World, choice: RestoreChoice = {}): RestorePorts {
  holders += 1;
  return {
    ...world.ports(),
    opener: world.opener,
    timer: realTimer,
    revocation: null,
    holder: `test-${holders}`,
    ...choice.restorePorts,
  };
}

export async function restore(
  world: World,
  request: Partial<RestoreRequest>,
  choice: RestoreChoice = {},
): Promise<RestoreReport> {
  const target = await restoreTarget(world, choice);
  try {
    return await runRestore(target, { ...REQUEST, ...request }, restorePorts(world, choice));
  } finally {
    await target.reader.close();
    await target.writer.close();
  }
}

/** `title rule/outcome codes`, sorted. */
export function outcomes(report: RestoreReport): string[] {
  return report.items
    .map(
      ({ item, outcome }) =>
        `${itemTitle(item)} ${item.rule} ${outcome} ${codesOf(item).join("+")}`,
    )
    .toSorted();
}

/** What a person reads of why each item is decided as it is. */
export function whys(report: RestoreReport): string {
  return report.items.map(({ item }) => whyText(item.why)).join("\n");
}

/** What a person reads beside it. */
export function notes(report: RestoreReport): string {
  return report.items.flatMap(({ item }) => item.notes.map(noteText)).join("\n");
}

export function accountPem(): string {
  return keyPemOf(createKey("P-256"), "traditional");
}

const NODE_STATE = {
  _machinekey: base64("privkey:aa"),
  "_current-profile": base64("profile-1a2b"),
  _profiles: base64("{}"),
  "profile-1a2b": base64("{}"),
};

/** The operator's own Secret, with a node's state beside its certificate. */
export function operatorSecret(
  domain: string,
  pair: Issued | null,
  account: string | null,
  namespace = "tailscale",
  name = "operator",
): PutObject {
  return {
    metadata: { name, namespace },
    type: "Opaque",
    data: {
      ...NODE_STATE,
      ...(pair === null
        ? {}
        : {
            [`${domain}.crt`]: base64(pair.certificatePem),
            [`${domain}.key`]: base64(pair.keyPem),
          }),
      ...(account === null ? {} : { "acme-account.key.pem": base64(account) }),
    },
  };
}

/** A standalone proxy's Secret; without `started` it is as the operator made it. */
export function proxySecret(
  name: string,
  parent: string,
  domain: string,
  choice: {
    readonly pair?: Issued;
    readonly account?: string;
    readonly device?: string | null;
    readonly host?: string;
  },
): PutObject {
  const host = choice.host ?? domain.split(".")[0] ?? "";
  return {
    metadata: {
      name,
      namespace: "tailscale",
      labels: {
        "tailscale.com/managed": "true",
        "tailscale.com/parent-resource": parent,
        "tailscale.com/parent-resource-ns": "shop",
        "tailscale.com/parent-resource-type": "ingress",
      },
    },
    type: "Opaque",
    data: {
      "cap-107.hujson": base64(
        JSON.stringify({ Version: "alpha0", Hostname: host, AuthKey: "tskey-auth-canary" }),
      ),
      ...(choice.device == null
        ? {}
        : { ...NODE_STATE, device_fqdn: base64(`${choice.device}.`), device_id: base64("n1") }),
      ...(choice.pair === undefined
        ? {}
        : {
            [`${domain}.crt`]: base64(choice.pair.certificatePem),
            [`${domain}.key`]: base64(choice.pair.keyPem),
          }),
      ...(choice.account === undefined ? {} : { "acme-account.key.pem": base64(choice.account) }),
    },
  };
}

/** A cert-manager Secret. */
export function tlsSecret(namespace: string, name: string, pair: Issued): PutObject {
  return {
    metadata: {
      name,
      namespace,
      labels: { "controller.cert-manager.io/fao": "true", team: "web" },
      annotations: {
        "cert-manager.io/certificate-name": name,
        "cert-manager.io/issuer-name": "le",
        "cert-manager.io/issuer-kind": "ClusterIssuer",
        "cert-manager.io/issuer-group": "cert-manager.io",
      },
    },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(pair.certificatePem), "tls.key": base64(pair.keyPem) },
  };
}

/** Data of a Secret, or `null` where it is gone. */
export function dataAt(
  sandbox: Sandbox,
  namespace: string,
  name: string,
): Readonly<Record<string, string>> | null {
  return sandbox.get(namespace, name)?.data ?? null;
}
