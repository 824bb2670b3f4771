/**
 * A whole audit in a test: the fake API server as cluster, stores in memory, a CA of the test's own
 * as the issuer.
 */
import { generateIdentity, createOpener } from "../../lib/adapters/age/identity.ts";
import { createSealer } from "../../lib/adapters/age/sealer.ts";
import { connect } from "../../lib/adapters/kubernetes/context.ts";
import { parseKubeconfig } from "../../lib/adapters/kubernetes/kubeconfig.ts";
import { createClusterDiagnosis } from "../../lib/adapters/kubernetes/diagnosis.ts";
import { createClusterReader } from "../../lib/adapters/kubernetes/reader.ts";
import { createKit } from "../../lib/wiring/kit.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { ClusterReader, ClusterDiagnosis } from "../../lib/ports/cluster.ts";
import type { Opener } from "../../lib/ports/stores.ts";
import {
  serviceAccount,
  startSandbox,
  type PutObject,
  type Sandbox,
} from "../fake-apiserver/api.ts";
import { createAuthority, type Authority, type IssueOptions, type Issued } from "./pki.ts";
import { auditAll, type AuditReport } from "../../lib/usecases/audit.ts";
import type { AuditPorts, AuditSettings, AuditTarget } from "../../lib/usecases/audit/context.ts";
import { loadState } from "../../lib/usecases/states.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import {
  createMemoryBlobs,
  createMemoryStates,
  Faults,
  type MemoryBlobs,
  type MemoryStates,
} from "./memory.ts";

export const DAY_MS = 86_400_000;

export interface AuditChoice {
  readonly settings?: Partial<AuditSettings>;
  readonly ports?: Partial<AuditPorts>;
  readonly name?: string | null;
  readonly token?: string;
  /** uid that the cluster says to have: names of one sandbox are one cluster but for this. */
  readonly uid?: string;
  /** Asks for logs, events and access too; default: for Secrets alone. */
  readonly observe?: boolean;
  /** The only namespace that is looked at. */
  readonly only?: string;
}

export interface World {
  readonly sandbox: Sandbox;
  readonly authority: Authority;
  readonly faults: Faults;
  readonly backups: MemoryBlobs;
  readonly states: MemoryStates;
  readonly recipient: string;
  readonly opener: Opener;
  /** Milliseconds since 1970; a test moves it. */
  nowMs: number;
  issue(names: readonly string[], options?: Partial<IssueOptions>): Issued;
  put(...objects: PutObject[]): void;
  reader(token?: string): Promise<ClusterReader>;
  diagnosis(token?: string): Promise<ClusterDiagnosis>;
  target(choice?: AuditChoice): Promise<AuditTarget>;
  ports(): AuditPorts;
  audit(choice?: AuditChoice): Promise<AuditReport>;
  /** The state of the cluster `prod`. */
  state(): Promise<StateDocument>;
  stop(): Promise<void>;
}

/**
 * The accounts of Tailscale's operator, its proxies and the ProxyGroup `pg`, with the rights that
 * the operator gives them.
 */
export const OWNERS = Object.fromEntries(
  ["operator", "proxies", "pg"].map((name) => [
    name,
    serviceAccount("tailscale", name, [
      { verbs: ["get", "list", "patch", "update"], resources: ["secrets"], namespace: "tailscale" },
    ]),
  ]),
);

export const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64");

/** A `kubernetes.io/tls` Secret as an HA Ingress has it: named as its domain. */
export function ingressSecret(
  domain: string,
  pair: Pick<Issued, "certificatePem" | "keyPem"> | null,
  namespace = "tailscale",
): PutObject {
  return {
    metadata: {
      name: domain,
      namespace,
      labels: {
        "tailscale.com/managed": "true",
        "tailscale.com/secret-type": "certs",
        "tailscale.com/proxy-group": "pg",
        "tailscale.com/domain": domain.slice(0, 63),
        "tailscale.com/parent-resource": domain.split(".")[0] ?? "x",
        "tailscale.com/parent-resource-ns": "shop",
        "tailscale.com/parent-resource-type": "ingress",
      },
    },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(pair?.certificatePem ?? ""), "tls.key": base64(pair?.keyPem ?? "") },
  };
}

function saying(reader: ClusterReader, uid: string | undefined): ClusterReader {
  if (uid === undefined) return reader;
  return { ...reader, identity: async () => ({ ...(await reader.identity()), uid }) };
}

export async function startWorld(): Promise<World> {
  const authority = createAuthority({ name: "Test" });
  const sandbox = await startSandbox({
    namespaces: ["default", "kube-system", "tailscale", "shop"],
    tokens: OWNERS,
  });
  const faults = new Faults();
  const backups = createMemoryBlobs(faults);
  const states = createMemoryStates(faults);
  const { secret, recipient } = await generateIdentity();
  const opener = await createOpener([{ where: "test", content: secret }]);
  const kit = createKit([
    createIssuer({
      id: "test",
      title: "Test",
      anchorsPem: authority.root.pem,
      intermediatesPem: authority.intermediates.map(({ pem }) => pem).join(""),
    }),
  ]);
  const connection = (token?: string): ReturnType<typeof connect> =>
    connect(
      parseKubeconfig(sandbox.kubeconfig(token === undefined ? {} : { token }), "sandbox.yaml"),
      null,
      { environment: {}, nowMs: () => world.nowMs },
    );
  const world: World = {
    sandbox,
    authority,
    faults,
    backups,
    states,
    recipient,
    opener,
    nowMs: Date.now(),
    issue: (names, options = {}) =>
      authority.issue({
        names,
        notBefore: new Date(world.nowMs - 10 * DAY_MS),
        notAfter: new Date(world.nowMs + 80 * DAY_MS),
        ...options,
      }),
    put: (...objects) => {
      sandbox.put(objects);
    },
    reader: async (token) =>
      createClusterReader(await connection(token), {
        requestTimeoutMs: 2_000,
        attempts: 2,
        sleep: async () => {},
      }),
    diagnosis: async (token) =>
      createClusterDiagnosis(await connection(token), { attempts: 2, sleep: async () => {} }),
    target: async (choice = {}) => ({
      name: choice.name === undefined ? "prod" : choice.name,
      title: "prod",
      server: sandbox.url,
      homeNamespace: null,
      reader: saying(await world.reader(choice.token), choice.uid),
      only: choice.only ?? null,
      ...(choice.observe === true ? { diagnosis: await world.diagnosis(choice.token) } : {}),
      settings: {
        namespaces: null,
        selector: null,
        secrets: [],
        operatorNamespace: "tailscale",
        operatorSecret: "operator",
        recipients: [recipient],
        copiesPerDay: 1000,
        ...choice.settings,
      },
    }),
    ports: () => ({
      backups,
      states,
      sealer: createSealer(),
      clock: { nowMs: () => world.nowMs },
      kit,
      progress: { step: () => {}, note: () => {} },
      dryRun: false,
    }),
    audit: async (choice = {}) =>
      auditAll([await world.target(choice)], { ...world.ports(), ...choice.ports }, []),
    state: async () => {
      const loaded = await loadState(states, "prod");
      if (loaded === null) throw new Error("there is no state");
      return loaded.state;
    },
    stop: () => sandbox.stop(),
  };
  return world;
}
