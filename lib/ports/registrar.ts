/**
 * What registering a cluster asks of its API, by an administrator's credential; and what any credential may ask about
 * itself.
 *
 * Contract (test/adapters/kubernetes/register.test.ts on a server of the test's own; test/e2e/register.test.ts on a
 * real one): `apply` makes an object be as given and says whether it was new; applying twice changes nothing.
 * `remove` of what isn't there is no error. Failures are `CertkeepError`s that hold no token.
 */
import type { AccessObject } from "../rbac/manifest.ts";
import type { GrantedRules } from "../rbac/excess.ts";
import type { Question } from "../rbac/rules.ts";

/** An object by what names it. */
export interface ObjectName {
  readonly apiVersion: string;
  readonly kind: AccessObject["kind"];
  readonly namespace: string | null;
  readonly name: string;
}

export interface GrantedToken {
  readonly token: string;
  /** Milliseconds since 1970; `null`: it doesn't end by itself. */
  readonly expiresAtMs: number | null;
}

export interface Registrar {
  /** @throws CertkeepError cluster_forbidden, naming the verb that the administrator lacks */
  apply(object: AccessObject): Promise<"created" | "there">;
  /** Objects with these labels, of the kinds that registering makes, Namespaces left out. */
  find(selector: string): Promise<readonly ObjectName[]>;
  remove(object: ObjectName): Promise<void>;
  /** A bound token of a service account; the server may grant less than was asked for. */
  requestToken(namespace: string, account: string, seconds: number): Promise<GrantedToken>;
  /** The token of a service-account-token Secret, once the cluster's controller has filled it in. @throws CertkeepError cluster_timeout where it doesn't */
  readToken(namespace: string, name: string): Promise<GrantedToken>;
  /** What anyone at all may do in a namespace; `null` where this credential may not ask as somebody else. */
  everybodysRules(namespace: string): Promise<GrantedRules | null>;
  close(): Promise<void>;
}

export interface ServerFacts {
  /** As the server says it: `v1.34.4`; `null` where it doesn't. */
  readonly version: string | null;
  /** The server's clock by its Date header, less this machine's, in milliseconds; the header has whole seconds. */
  readonly clockOffsetMs: number | null;
}

/** A credential's questions about itself; they store nothing. */
export interface SelfAccess {
  facts(): Promise<ServerFacts>;
  /** As the server names whoever asks; `null` where the server is too old to say. */
  whoAmI(): Promise<string | null>;
  isAllowed(
    question: Pick<Question, "verb" | "group" | "resource" | "namespace" | "name">,
  ): Promise<boolean>;
  rulesIn(namespace: string): Promise<GrantedRules>;
  /** Groups of the API whose server doesn't answer, such as an aggregated one that is down. */
  deadGroups(): Promise<readonly string[]>;
  close(): Promise<void>;
}
