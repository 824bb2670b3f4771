/**
 * The judge's kit: Mozilla's bundle as this Node carries it, Let's Encrypt's roots, and the issuers
 * of a configuration.
 */
import { createHash } from "node:crypto";
import { rootCertificates } from "node:tls";
import { anchorsFromPem, uniteAnchors, type Anchors } from "../certificate/anchors.ts";
import { Verifier } from "../certificate/verifier.ts";
import { BUILT_IN_ISSUERS, createIssuer, LETS_ENCRYPT, type Issuer } from "../issuer/issuers.ts";
import { createLimit, type LimitOverride, registeredDomain, setOf } from "../ratelimit/limit.ts";
import type { LimitSetting, PemSource } from "../config/issuer.ts";
import type { Config } from "../config/schema.ts";
import type { JudgeKit } from "../usecases/audit/context.ts";

/**
 * Raised when the judge's answer to some input changes, or what is taken of a Secret: all are then
 * read again.
 */
const JUDGE_VERSION = 3;

function defaultAnchors(): Anchors {
  return uniteAnchors(LETS_ENCRYPT.anchors, anchorsFromPem(...rootCertificates));
}

function configuredIssuers(config: Config): Issuer[] {
  const pem = (source: PemSource): string => (source.kind === "pem" ? source.pem : "");
  return config.issuers.map(({ id, title, kind, anchors, intermediates, directory, limits }) =>
    createIssuer({
      id,
      title,
      environment: kind,
      anchorsPem: pem(anchors),
      directory,
      ...(intermediates === null ? {} : { intermediatesPem: pem(intermediates) }),
      ...(limits === null
        ? {}
        : {
            limits: {
              perSet: bucketOf(limits.perSet),
              perDomain: bucketOf(limits.perDomain),
              source: "certkeep.yaml",
              checked: "",
            },
          }),
    }),
  );
}

const HOUR_MS = 3_600_000;

function bucketOf(setting: LimitSetting | null): { count: number; periodMs: number } | null {
  return setting === null ? null : { count: setting.count, periodMs: setting.hours * HOUR_MS };
}

export function limitOverrides(config: Config): LimitOverride[] {
  return config.limits.map(({ issuer, scope, count, hours }) => ({
    issuer,
    ...(scope.kind === "domain"
      ? { kind: "domain" as const, key: registeredDomain(scope.domain) }
      : { kind: "set" as const, key: setOf(scope.names).key }),
    limit: createLimit({ count, periodMs: hours * HOUR_MS }),
  }));
}

/** Every known issuer, Let's Encrypt first. */
export function issuersOf(config: Config): readonly Issuer[] {
  return [...BUILT_IN_ISSUERS, ...configuredIssuers(config)];
}

export function kitOf(config: Config): JudgeKit {
  return createKit(configuredIssuers(config));
}

export function createKit(configured: readonly Issuer[]): JudgeKit {
  const anchors = uniteAnchors(
    defaultAnchors(),
    ...configured
      .filter(({ environment }) => environment === "production")
      .map(({ anchors: own }) => own),
  );
  const hash = createHash("sha256");
  for (const der of anchors.ders) hash.update(der);
  for (const issuer of configured) hash.update(`${issuer.id} ${issuer.environment}`);
  const issuers = [...BUILT_IN_ISSUERS, ...configured];
  return {
    anchors,
    issuers,
    intermediates: uniteAnchors(...issuers.map((issuer) => issuer.intermediates)),
    verifier: new Verifier(),
    version: `${JUDGE_VERSION}-${hash.digest("hex").slice(0, 16)}`,
  };
}
