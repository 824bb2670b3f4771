/** Private issuers, and limits that an issuer raised. */
import * as z from "zod/mini";
import { help, HTTPS, list, orElse, orNull, text } from "./field.ts";
import { DOMAIN, HOST, HTTPS_URL, LABEL } from "./form.ts";

/** Let's Encrypt counts by weeks; a limit that names no hours does too. */
const DEFAULT_LIMIT_HOURS = 168;

const CERTIFICATES = "a PEM file's path, or certificates in PEM after `|`";

const certificates = () =>
  z.pipe(
    z.string(CERTIFICATES).check(
      z.refine(
        (pem) => !pem.includes("PRIVATE KEY"),
        "certificates alone; take the private key out of this file, and treat it as disclosed",
      ),
      z.refine(
        (pem) =>
          pem.trim() !== "" &&
          (!/[\r\n]/.test(pem.trim()) || pem.includes("-----BEGIN CERTIFICATE-----")),
        CERTIFICATES,
      ),
    ),
    z.transform(pemSource),
  );

function pemSource(given: string): PemSource {
  return given.includes("-----BEGIN CERTIFICATE-----")
    ? { kind: "pem", pem: given }
    : { kind: "file", path: given.trim() };
}

const COUNT = "a whole number from 1 to 1000000";
const HOURS = "a number of hours above 0, at most 8784";

/** `count` certificates in `hours`, one coming back every hours/count. */
const bucket = {
  count: z
    .number(COUNT)
    .check(
      z.refine((n) => Number.isInteger(n), COUNT),
      z.minimum(1, COUNT),
      z.maximum(1_000_000, COUNT),
    )
    .register(help, {
      description: "Certificates that can be issued at once; they come back evenly over the hours.",
      examples: [5],
    }),
  hours: orElse(
    z.number(HOURS).check(z.gt(0, HOURS), z.maximum(8784, HOURS)),
    DEFAULT_LIMIT_HOURS,
  ).register(help, {
    description: "Hours in which an empty limit refills.",
    default: DEFAULT_LIMIT_HOURS,
    examples: [168],
  }),
};
const bucketSchema = () => z.strictObject(bucket, "the settings count and hours");

const issuerObject = z.strictObject(
  {
    id: text("a short name: small letters, digits and -", LABEL).register(help, {
      description: "A short name for reports and states.",
      examples: ["corp"],
    }),
    title: orNull(text("a title, in one line", /^[^\r\n\0]{1,100}$/)).register(help, {
      description: "Its name for people. Default: its id.",
      examples: ["Example Corp internal CA"],
    }),
    anchors: certificates().register(help, {
      description: "Its root certificates: a PEM file, relative to this file, or PEM text.",
      examples: ["corp-roots.pem"],
    }),
    intermediates: orNull(certificates()).register(help, {
      description:
        "Its intermediate certificates. If a chain lacks one, it is reported as missing, " +
        "and the certificate still counts as this issuer's.",
      examples: ["corp-intermediates.pem"],
    }),
    kind: orElse(z.enum(["production", "staging"], "production or staging"), "production").register(
      help,
      {
        description: "staging: clients don't trust it, and nothing from it is critical.",
        default: "production",
      },
    ),
    directory: orNull(text(HTTPS, HTTPS_URL)).register(help, {
      title: "ACME directory",
      description: "Its ACME directory, for renewal times (sources.renewalInfo).",
      examples: ["https://acme.corp.example/directory"],
    }),
    limits: orNull(
      z.strictObject(
        {
          perSet: orNull(bucketSchema()).register(help, {
            description: "For each exact set of names.",
          }),
          perDomain: orNull(bucketSchema()).register(help, {
            description: "For each registered domain.",
          }),
        },
        "the settings perSet and perDomain",
      ),
    ).register(help, {
      title: "Limits",
      description: "Its rate limits. Default: none are shown.",
    }),
  },
  "an issuer: id and anchors",
);

const limitObject = z.strictObject(
  {
    issuer: orElse(text("an issuer's id", LABEL), "letsencrypt").register(help, {
      description: "The issuer: letsencrypt, or an id under issuers.",
      default: "letsencrypt",
    }),
    domain: orNull(
      text("a registered domain: host names' labels, with at least one dot", DOMAIN),
    ).register(help, {
      description: "The registered domain (the tailnet) with this limit.",
      examples: ["tail1a2b3.ts.net"],
    }),
    names: orNull(list(text("a host name", HOST), "a list of host names")).register(help, {
      description: "The exact set of names with this limit.",
      examples: [["shop.example.com", "www.shop.example.com"]],
    }),
    ...bucket,
  },
  "a limit: domain or names, and count",
);

/** A private CA that counts as an issuer. */
export const issuerSchema = z.pipe(
  issuerObject,
  z.transform(({ title, ...issuer }) => ({ ...issuer, title: title ?? issuer.id })),
);

/**
 * Another limit than the one that an issuer documents. That an entry has either `domain` or `names`
 * is checked in lib/config/parse.ts.
 */
export const limitSchema = z.pipe(
  limitObject,
  z.transform(({ domain, names, ...limit }) => ({
    ...limit,
    scope: limitScope(domain, names ?? []),
  })),
);

function limitScope(domain: string | null, names: readonly string[]): LimitScope {
  return domain === null
    ? { kind: "set", names }
    : { kind: "domain", domain: domain.toLowerCase() };
}

type LimitScope =
  | { readonly kind: "domain"; readonly domain: string }
  | { readonly kind: "set"; readonly names: readonly string[] };
export type PemSource =
  { readonly kind: "file"; readonly path: string } | { readonly kind: "pem"; readonly pem: string };
/** A limit as it is written: `count` certificates, coming back evenly over `hours`. */
export type LimitSetting = z.output<ReturnType<typeof bucketSchema>>;
export type ConfigIssuer = z.output<typeof issuerSchema>;
