/** What a configuration says, once parsed: everything present, `null` for what is absent. */
import type { AccessKind, Part } from "../rbac/table.ts";
import type { FindingCode } from "../finding/codes.ts";

export interface SecretRef {
  readonly namespace: string;
  readonly name: string;
}

/** Where the Tailscale operator keeps its own Secret. */
export interface OperatorRef {
  readonly namespace: string;
  readonly secret: string;
}

/** What registering gave the reading and the restoring credential, so that doctor knows what to ask for. */
export interface RegisteredAccess {
  readonly kind: AccessKind;
  readonly parts: readonly Part[];
  /** RFC 3339: when the credential was made; `null` where it isn't known. */
  readonly since: string | null;
  /** The credential may do more than it needs, and somebody accepted that. */
  readonly broad: boolean;
}

/** Amazon EKS by IAM: no credential is stored; a signed request for the role's identity is the token. */
export interface EksAccess {
  /** Name of the EKS cluster. */
  readonly cluster: string;
  readonly region: string;
  /** ARN of the role that reads. */
  readonly role: string;
  /** ARN of the role that restores. */
  readonly restoreRole: string | null;
}

/** One cluster. Paths are as written: lib/adapters/file/config.ts resolves them against their file. */
export interface ClusterEntry {
  readonly name: string;
  /** `null`: the kubeconfig that kubectl would take. */
  readonly kubeconfig: string | null;
  /** `null`: the current context of that kubeconfig. */
  readonly context: string | null;
  /** Names or patterns; `null`: all that the credential may see; empty: nothing is looked for, `secrets` are read by name. */
  readonly namespaces: readonly string[] | null;
  /** Label selector for generic TLS Secrets. */
  readonly selector: string | null;
  /** Secrets that are read by name; a CA's key is taken only from these. */
  readonly secrets: readonly SecretRef[];
  readonly operator: OperatorRef | null;
  /** `null`: the default ones. */
  readonly recipients: readonly string[] | null;
  /** Kubeconfig of the credential that restores; `null`: the one that reads is taken. */
  readonly restoreKubeconfig: string | null;
  readonly eks: EksAccess | null;
  /** `null`: nobody registered it, or not with certkeep. */
  readonly access: RegisteredAccess | null;
}

export type PemSource =
  { readonly kind: "file"; readonly path: string } | { readonly kind: "pem"; readonly pem: string };

/** A limit as it is written: `count` certificates, coming back evenly over `hours`. */
export interface LimitSetting {
  readonly count: number;
  readonly hours: number;
}

/** Another limit than the one that an issuer documents, for one domain or one set of names. */
export interface LimitEntry extends LimitSetting {
  readonly issuer: string;
  readonly scope:
    | { readonly kind: "domain"; readonly domain: string }
    | { readonly kind: "set"; readonly names: readonly string[] };
}

/** A private CA that counts as an issuer. */
export interface ConfigIssuer {
  readonly id: string;
  readonly title: string;
  readonly anchors: PemSource;
  readonly intermediates: PemSource | null;
  readonly kind: "production" | "staging";
  /** URL of its ACME directory, for suggested renewal times; `null`: it isn't asked. */
  readonly directory: string | null;
  /** `null`: none is known. */
  readonly limits: {
    readonly perSet: LimitSetting | null;
    readonly perDomain: LimitSetting | null;
  } | null;
}

/** Mutes findings that fit all of what it names; the finding room's `applyIgnore` takes it as it is. */
export interface IgnoreSetting {
  readonly cluster?: string;
  readonly namespace?: string;
  /** A Secret's or a certificate's name. */
  readonly name?: string;
  readonly code?: FindingCode;
  readonly reason: string;
  /** As written: a day or an instant. */
  readonly until: string | null;
  /** Nanoseconds since 1970 from which on it mutes nothing. */
  readonly untilNs?: bigint;
}

export type Weekday =
  "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday";

/** Where digests go. */
export interface DigestRoute {
  readonly name: string;
  /** A reference to a Slack webhook, which is a credential: `env:`, `file:` or `secretsmanager://`. */
  readonly webhook: string;
  /** Names or patterns; `null`: all. */
  readonly clusters: readonly string[] | null;
  /** The least severity that is told. */
  readonly severity: "critical" | "warning" | "information";
}

export interface DigestConfig {
  /** Minute of the day, UTC, from which on the day's digest is posted. */
  readonly atMinute: number;
  /** Day of the weekly digest, which comes even if nothing changed. */
  readonly weekday: Weekday;
  readonly routes: readonly DigestRoute[];
}

/** The stack of functions on AWS, as far as whoever works with it from outside has to know it. */
export interface AwsSettings {
  readonly region: string;
  readonly stage: string | null;
  /** ARN of the topic that alarms go to. */
  readonly topic: string | null;
  /** Name of the function that restores. */
  readonly restoreFunction: string | null;
}

/** The deployed restore may take `from`'s copies and write them to `to`. */
export interface RestorePair {
  readonly from: string;
  readonly to: string;
}

/** A search of certificate logs that is asked for a domain's certificates. */
export interface TransparencySetting {
  /** `null`: Cert Spotter's own. */
  readonly url: string | null;
  /** A reference to its API token, which is a credential: `env:`, `file:` or `secretsmanager://`; `null`: asked without. */
  readonly token: string | null;
  /** `null`: those of the certificates that audits saw. */
  readonly domains: readonly string[] | null;
}

/** What is asked of others than the clusters. Nothing is asked that isn't switched on. */
export interface SourcesConfig {
  readonly transparency: TransparencySetting | null;
  readonly renewalInfo: boolean;
  readonly revocation: boolean;
}

export interface Config {
  readonly recipients: readonly string[];
  /** Where the identity is that opens copies: `env:`, `file:` or `secretsmanager://`. An audit never reads it. */
  readonly identity: string | null;
  /** Empty: the current context of the kubeconfig. */
  readonly clusters: readonly ClusterEntry[];
  readonly stores: {
    /** `file:FOLDER` as written, `s3://BUCKET/PREFIX` or `secretsmanager://PREFIX`; `null`: the platform's data folder. */
    readonly backups: string | null;
    /** `file:FOLDER` as written, or `s3://BUCKET/PREFIX`; `null`: the platform's data folder. */
    readonly state: string | null;
    /** `secretsmanager://PREFIX`; `null`: registrations lie beside the file. */
    readonly registry: string | null;
  };
  /** `null`: nothing is said of AWS; a region then comes from the environment. */
  readonly aws: AwsSettings | null;
  readonly restores: readonly RestorePair[];
  readonly issuers: readonly ConfigIssuer[];
  readonly limits: readonly LimitEntry[];
  readonly backups: { readonly perDay: number };
  readonly sources: SourcesConfig;
  readonly digest: DigestConfig;
  readonly ignore: readonly IgnoreSetting[];
}

/**
 * New copies a day and cluster. High enough that the first audit of a cluster of a thousand certificates
 * keeps them all the same day, and that 10,000 certificates renewed every 60 days (167 a day) never meet it;
 * low enough that somebody who fills a cluster with borrowed certificates costs about 10 MB a day, not a disk.
 */
export const DEFAULT_COPIES_PER_DAY = 1000;

/** Let's Encrypt counts by weeks; a limit that names no hours does too. */
export const DEFAULT_LIMIT_HOURS = 168;

/** What an empty file means. */
export const DEFAULT_CONFIG: Config = {
  recipients: [],
  identity: null,
  clusters: [],
  stores: { backups: null, state: null, registry: null },
  aws: null,
  restores: [],
  issuers: [],
  limits: [],
  backups: { perDay: DEFAULT_COPIES_PER_DAY },
  sources: { transparency: null, renewalInfo: false, revocation: false },
  digest: { atMinute: 8 * 60, weekday: "monday", routes: [] },
  ignore: [],
};
