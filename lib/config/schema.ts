/**
 * The shape of `certkeep.yaml`. The message of each check is what was expected, in words that follow
 * "expected"; titles, descriptions and examples are for editors. What spans several settings (a name used
 * twice, an entry that selects nothing) is checked in lib/config/parse.ts.
 */
import * as z from "zod/mini";
import { parseInstantOrNull } from "../certificate/time.ts";
import { ACCESS_KINDS, PARTS } from "../rbac/table.ts";
import { CODES, SEVERITIES, type FindingCode, type Severity } from "../finding/codes.ts";
import { DEFAULT_COPIES_PER_DAY, DEFAULT_LIMIT_HOURS } from "./config.ts";
import {
  BACKUP_STORE,
  DOMAIN,
  endOf,
  FUNCTION_NAME,
  HOST,
  HTTPS_URL,
  isSelector,
  LABEL,
  NAMESPACE_PATTERN,
  PATTERN,
  REFERENCE,
  REGION,
  SECRET_NAME,
  SECRET_REF,
  SECRETS_STORE,
  STAGE,
  STATE_STORE,
  TOPIC_ARN,
} from "./form.ts";
import { isRecipient } from "./recipient.ts";

/** What an editor shows of a setting. */
export interface Help {
  readonly title?: string;
  readonly description: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
}

export const help = z.registry<Help>();

const FINDING_CODES = Object.keys(CODES) as [FindingCode, ...FindingCode[]];

function text(expected: string, form: RegExp) {
  return z.string(expected).check(z.regex(form, expected));
}

function list<T extends z.ZodMiniType>(item: T, expected: string) {
  return z.array(item, expected).check(z.minLength(1, `${expected}, with one item at least`));
}

const RECIPIENT = "an age recipient: `age1` and 58 letters and digits, as age-keygen prints it";
const recipient = z
  .string(RECIPIENT)
  .check(
    z.regex(/^age1[02-9ac-hj-np-z]{58}$/, RECIPIENT),
    z.refine(
      isRecipient,
      `${RECIPIENT}; its checksum doesn't fit, so a character is wrong or missing`,
    ),
  );
const ROLE = "the ARN of an IAM role";
const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/;
const path = text("the path of a file, in one line", /^[^\r\n\0]+$/);

const entry = {
  kubeconfig: z.optional(path).register(help, {
    title: "Kubeconfig",
    description:
      "The kubeconfig file to use, relative to this file; ~ is your home. Without it: what kubectl would take (KUBECONFIG, else ~/.kube/config).",
    examples: ["~/.kube/config"],
  }),
  context: z
    .optional(text("the name of a context in the kubeconfig, in one line", /^[^\r\n\0]+$/))
    .register(help, {
      title: "Context",
      description: "The context in that kubeconfig. Without it: its current context.",
      examples: ["prod-admin"],
    }),
  namespaces: z
    .optional(
      list(
        text(
          "a namespace or a pattern of namespaces: small letters, digits, - and *",
          NAMESPACE_PATTERN,
        ),
        "a list of namespaces",
      ),
    )
    .register(help, {
      title: "Namespaces",
      description:
        "Namespaces to audit, by name or pattern. Without it: all that the credential may see.",
      examples: [["tailscale", "shop-*"]],
    }),
  selector: z
    .optional(
      z
        .string("a label selector, such as team=web")
        .check(
          z.refine(isSelector, "a label selector, such as team=web or team in (web,shop),!legacy"),
        ),
    )
    .register(help, {
      title: "Label selector",
      description:
        "Narrows generic TLS Secrets by their labels. Secrets of the Tailscale operator are always looked at.",
      examples: ["team=web"],
    }),
  secrets: z
    .optional(list(text("NAMESPACE/NAME of a Secret", SECRET_REF), "a list of Secrets"))
    .register(help, {
      title: "Named Secrets",
      description:
        "Secrets that are read by their name, besides what is found. The key of a CA is taken only from a Secret named here.",
      examples: [["shop/web-tls"]],
    }),
  operator: z
    .optional(
      z.strictObject(
        {
          namespace: z
            .optional(text("a namespace: small letters, digits and -", LABEL))
            .register(help, { description: "The operator's namespace.", default: "tailscale" }),
          secret: z.optional(text("the name of a Secret", SECRET_NAME)).register(help, {
            description: "The Secret of the operator itself, as its OPERATOR_SECRET says.",
            default: "operator",
          }),
        },
        "the settings namespace and secret",
      ),
    )
    .register(help, {
      title: "Tailscale operator",
      description: "Where the Tailscale operator is installed, if not in the usual place.",
    }),
  recipients: z.optional(list(recipient, "a list of age recipients")).register(help, {
    title: "Recipients",
    description: "Who can open this cluster's copies, instead of the default recipients.",
  }),
  discover: z.optional(z.boolean("true or false")).register(help, {
    title: "Discover",
    description:
      "false: no Secret is looked for; only those under secrets: are read, by name. For credentials that may not list.",
    default: true,
  }),
  restoreKubeconfig: z.optional(path).register(help, {
    title: "Kubeconfig of the restoring credential",
    description: "Its current context is used. Without it, a restore uses the reading credential.",
    examples: ["prod.restore.kubeconfig"],
  }),
  eks: z
    .optional(
      z.strictObject(
        {
          cluster: text("the name of an EKS cluster", /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/).register(
            help,
            { description: "Name of the EKS cluster.", examples: ["prod"] },
          ),
          region: text("an AWS region, such as eu-west-1", REGION).register(help, {
            description: "Its region.",
            examples: ["eu-west-1"],
          }),
          role: text(ROLE, ROLE_ARN).register(help, {
            description: "The IAM role that reads; of this registration alone.",
            examples: ["arn:aws:iam::123456789012:role/certkeep-prod-read"],
          }),
          restoreRole: z.optional(text(ROLE, ROLE_ARN)).register(help, {
            description: "The IAM role that restores.",
            examples: ["arn:aws:iam::123456789012:role/certkeep-prod-restore"],
          }),
        },
        "the settings cluster, region and role",
      ),
    )
    .register(help, {
      title: "Amazon EKS by IAM",
      description:
        "No credential is stored: a signed request for the role's identity is the token. The kubeconfig gives server and authority.",
    }),
};

const CLUSTER_NAME =
  "a cluster's name: small letters, digits and -, at most 63, beginning and ending with a letter or digit";

const clusterSchema = z.strictObject(
  {
    name: text(CLUSTER_NAME, LABEL).register(help, {
      title: "Name",
      description: "What you call this cluster, in commands and reports.",
      examples: ["prod"],
    }),
    ...entry,
  },
  "a cluster: name, and where it is",
);

/** What registering alone writes. */
const registered = {
  access: z
    .optional(
      z.strictObject(
        {
          kind: z
            .enum(ACCESS_KINDS, `one of ${ACCESS_KINDS.join(", ")}`)
            .register(help, { description: "What kind of credential it is.", examples: ["token"] }),
          parts: z
            .optional(z.array(z.enum(PARTS, `one of ${PARTS.join(", ")}`), "a list of parts"))
            .register(help, {
              description: "The parts of the permissions that were asked for; doctor checks them.",
              examples: [["secrets", "parents", "diagnosis"]],
            }),
          since: z
            .optional(
              z
                .string("an instant such as 2026-12-31T18:00:00Z")
                .check(
                  z.refine(
                    (since) => parseInstantOrNull(since) !== null,
                    "an instant such as 2026-12-31T18:00:00Z",
                  ),
                ),
            )
            .register(help, {
              description: "When the credential was made.",
              examples: ["2026-12-31T18:00:00Z"],
            }),
          broad: z.optional(z.boolean("true or false")).register(help, {
            description: "Somebody accepted that the credential may do more than it needs.",
            default: false,
          }),
        },
        "the settings kind and parts",
      ),
    )
    .register(help, {
      title: "Access",
      description:
        "What `certkeep clusters add` gave. Written by it; doctor compares it with what the server says.",
    }),
};

/** `clusters/NAME.yaml`: the same, less the name, and what registering gave. */
export const registrationSchema = z.strictObject(
  { ...entry, ...registered },
  "a cluster's settings, such as kubeconfig and context",
);

const storesSchema = z.strictObject(
  {
    backups: z
      .optional(
        text("file: and a folder, s3://BUCKET/PREFIX, or secretsmanager://PREFIX", BACKUP_STORE),
      )
      .register(help, {
        description: "Where sealed copies are kept. Without it: your data folder.",
        examples: [
          "file:~/certkeep/backups",
          "s3://my-bucket/backups",
          "secretsmanager://certkeep/prod/backups",
        ],
      }),
    state: z
      .optional(text("file: and a folder, or s3://BUCKET/PREFIX", STATE_STORE))
      .register(help, {
        description: "Where it is kept what was seen. Without it: your data folder.",
        examples: ["file:~/certkeep/state", "s3://my-bucket/state"],
      }),
    registry: z
      .optional(
        text("secretsmanager://PREFIX, such as secretsmanager://certkeep/prod", SECRETS_STORE),
      )
      .register(help, {
        description:
          "Where clusters are registered, with their credentials. Without it: in clusters/ beside this file.",
        examples: ["secretsmanager://certkeep/prod"],
      }),
  },
  "the settings backups, state and registry",
);

const awsSchema = z.strictObject(
  {
    region: text("an AWS region, such as eu-west-1", REGION).register(help, {
      description:
        "The region of the stores. Without aws: the one that the tools of AWS would take.",
      examples: ["eu-west-1"],
    }),
    stage: z
      .optional(
        text("a stage: small letters, digits and -, at most 20, beginning with a letter", STAGE),
      )
      .register(help, { description: "The stage of the deployed functions.", examples: ["prod"] }),
    topic: z.optional(text("the ARN of an SNS topic", TOPIC_ARN)).register(help, {
      description: "The topic that alarms go to; doctor looks whether anybody listens.",
      examples: ["arn:aws:sns:eu-west-1:123456789012:certkeep-prod-alarms"],
    }),
    restoreFunction: z
      .optional(text("the name of a Lambda function", FUNCTION_NAME))
      .register(help, {
        description: "The function that restores, for the commands that findings offer.",
        examples: ["certkeep-prod-restore"],
      }),
  },
  "the settings region, stage, topic and restoreFunction",
);

const pairSchema = z.strictObject(
  {
    from: text(CLUSTER_NAME, LABEL).register(help, {
      description: "The cluster whose copies are taken.",
      examples: ["prod"],
    }),
    to: text(CLUSTER_NAME, LABEL).register(help, {
      description: "The cluster that they may be written to.",
      examples: ["prod-standby"],
    }),
  },
  "a pair: from and to",
);

const certificates = () =>
  z.string("a PEM file's path, or certificates in PEM after `|`").check(
    z.refine(
      (pem) => !pem.includes("PRIVATE KEY"),
      "certificates alone; take the private key out of this file, and treat it as disclosed",
    ),
    z.refine(
      (pem) =>
        pem.trim() !== "" &&
        (!/[\r\n]/.test(pem.trim()) || pem.includes("-----BEGIN CERTIFICATE-----")),
      "a PEM file's path, or certificates in PEM after `|`",
    ),
  );

const URL = "a URL that begins with https://, without a user or a query";

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
  hours: z.optional(z.number(HOURS).check(z.gt(0, HOURS), z.maximum(8784, HOURS))).register(help, {
    description: "Time in which an empty limit is full again.",
    default: DEFAULT_LIMIT_HOURS,
    examples: [168],
  }),
};
const bucketSchema = () => z.strictObject(bucket, "the settings count and hours");

const issuerSchema = z.strictObject(
  {
    id: text("a short name: small letters, digits and -", LABEL).register(help, {
      description: "A short name, which reports and states use.",
      examples: ["corp"],
    }),
    title: z.optional(text("a title, in one line", /^[^\r\n\0]{1,100}$/)).register(help, {
      description: "What people call it. Without it: its id.",
      examples: ["Example Corp internal CA"],
    }),
    anchors: certificates().register(help, {
      description:
        "Its root certificates: a PEM file, relative to this one, or the PEM text itself.",
      examples: ["corp-roots.pem"],
    }),
    intermediates: z.optional(certificates()).register(help, {
      description:
        "Its intermediate certificates: where a chain lacks one, it is told as missing, and the certificate still counts as this issuer's.",
      examples: ["corp-intermediates.pem"],
    }),
    kind: z.optional(z.enum(["production", "staging"], "production or staging")).register(help, {
      description: "staging: clients don't trust it, and nothing of it is critical.",
      default: "production",
    }),
    directory: z.optional(text(URL, HTTPS_URL)).register(help, {
      title: "ACME directory",
      description:
        "Its ACME directory, which is asked for suggested renewal times where sources.renewalInfo is true.",
      examples: ["https://acme.corp.example/directory"],
    }),
    limits: z
      .optional(
        z.strictObject(
          {
            perSet: z
              .optional(bucketSchema())
              .register(help, { description: "For each exact set of names." }),
            perDomain: z
              .optional(bucketSchema())
              .register(help, { description: "For each registered domain." }),
          },
          "the settings perSet and perDomain",
        ),
      )
      .register(help, {
        title: "Limits",
        description:
          "How many certificates it issues. Without it: no budget is told for this issuer.",
      }),
  },
  "an issuer: id and anchors",
);

const limitSchema = z.strictObject(
  {
    issuer: z.optional(text("an issuer's id", LABEL)).register(help, {
      description: "Whose limit: letsencrypt, or an id under issuers.",
      default: "letsencrypt",
    }),
    domain: z
      .optional(text("a registered domain: host names' labels, with at least one dot", DOMAIN))
      .register(help, {
        description: "The registered domain (the tailnet) that it holds for.",
        examples: ["tail1a2b3.ts.net"],
      }),
    names: z.optional(list(text("a host name", HOST), "a list of host names")).register(help, {
      description: "The exact set of names that it holds for.",
      examples: [["shop.example.com", "www.shop.example.com"]],
    }),
    ...bucket,
  },
  "a limit: domain or names, and count",
);

const ignoreSchema = z.strictObject(
  {
    cluster: z
      .optional(text("a cluster's name or a pattern", PATTERN))
      .register(help, { description: "The cluster, by name or pattern.", examples: ["prod"] }),
    namespace: z
      .optional(text("a namespace or a pattern", PATTERN))
      .register(help, { description: "The namespace, by name or pattern.", examples: ["shop"] }),
    name: z
      .optional(text("the name of a Secret or a certificate, or a pattern", PATTERN))
      .register(help, {
        description: "The Secret's or the certificate's name, or a pattern.",
        examples: ["legacy-*"],
      }),
    code: z.optional(z.enum(FINDING_CODES, "the code of a finding")).register(help, {
      description: "The finding's code, as reports show it.",
      examples: ["expiring"],
    }),
    reason: text("the reason, for whoever reads this next year", /\S/).register(help, {
      description: "Why. Required: every report says how much is ignored.",
      examples: ["moves to the new gateway in autumn"],
    }),
    until: z
      .optional(
        z
          .string("a day such as 2026-12-31, or an instant such as 2026-12-31T18:00:00Z")
          .check(
            z.refine(
              (until) => endOf(until) !== null,
              "a day such as 2026-12-31, or an instant such as 2026-12-31T18:00:00Z",
            ),
          ),
      )
      .register(help, {
        description: "The last day on which it is ignored, in UTC, or an instant.",
        examples: ["2026-12-31"],
      }),
  },
  "an entry with a reason",
);

const routeSchema = z.strictObject(
  {
    name: text(CLUSTER_NAME.replace("a cluster's name", "a name"), LABEL).register(help, {
      description: "What you call this route. It is remembered by its name what was told.",
      examples: ["ops"],
    }),
    webhook: text(
      "a reference: env:NAME, file:PATH or secretsmanager://NAME, never the webhook's URL itself",
      REFERENCE,
    ).register(help, {
      description:
        "Where the URL of the Slack webhook is. It is a credential: whoever has it can post.",
      examples: ["env:CERTKEEP_SLACK_WEBHOOK", "file:~/.config/certkeep/slack-webhook"],
    }),
    clusters: z
      .optional(list(text("a cluster's name or a pattern", PATTERN), "a list of clusters"))
      .register(help, {
        description: "Clusters that this route is told of, by name or pattern. Without it: all.",
        examples: [["prod-*"]],
      }),
    severity: z
      .optional(
        z.enum(
          SEVERITIES as readonly Severity[] as [Severity, ...Severity[]],
          "critical, warning or information",
        ),
      )
      .register(help, {
        description: "The least severe findings that this route is told of.",
        default: "information",
      }),
  },
  "a route: name and webhook",
);

const SWITCH = "true, false";

const transparencySchema = z.union(
  [
    z.boolean(),
    z.strictObject({
      url: z.optional(text(URL, HTTPS_URL)).register(help, {
        description: "Where Cert Spotter's API is.",
        default: "https://api.certspotter.com/v1/issuances",
      }),
      token: z
        .optional(
          text(
            "a reference: env:NAME, file:PATH or secretsmanager://NAME, never the token itself",
            REFERENCE,
          ),
        )
        .register(help, {
          description:
            "Where the API token is. Without one fewer questions are answered each hour.",
          examples: ["env:CERTSPOTTER_TOKEN"],
        }),
      domains: z
        .optional(
          list(
            text("a domain: host names' labels, with at least one dot", DOMAIN),
            "a list of domains",
          ),
        )
        .register(help, {
          description:
            "Domains to ask about. Without it: the registered domains of the public certificates that audits saw.",
          examples: [["tail1a2b3.ts.net"]],
        }),
    }),
  ],
  `${SWITCH}, or the settings url, token and domains`,
);

const sourcesSchema = z.strictObject(
  {
    transparency: z.optional(transparencySchema).register(help, {
      title: "Certificate Transparency",
      description:
        "Ask Cert Spotter which certificates are in public logs, so that those that no Secret shows count as well. It learns the domains, which the logs show anyway.",
      default: false,
      examples: [true],
    }),
    renewalInfo: z.optional(z.boolean(SWITCH)).register(help, {
      title: "Suggested renewal times",
      description:
        "Ask the issuer when each certificate should be renewed (ACME Renewal Information), to notice a renewal that it forces.",
      default: false,
    }),
    revocation: z.optional(z.boolean(SWITCH)).register(help, {
      title: "Revocation lists",
      description:
        "Fetch the issuer's revocation lists in audits, to tell a certificate that was revoked.",
      default: false,
    }),
  },
  "the settings transparency, renewalInfo and revocation",
);

const TIME = "a time of day such as 08:00, in quotes";

const PER_DAY = "a whole number from 1 to 1000000";

export const configSchema = z.strictObject(
  {
    recipients: z
      .optional(z.nullable(z.array(recipient, "a list of age recipients")))
      .register(help, {
        title: "Recipients",
        description:
          "Who can open the copies: age recipients (public keys). Without any, nothing is backed up.",
        examples: [["age1…"]],
      }),
    identity: z
      .optional(
        text(
          "a reference: file:PATH, env:NAME or secretsmanager://NAME, never the identity itself",
          REFERENCE,
        ),
      )
      .register(help, {
        title: "Identity",
        description:
          "Where the identity is that opens the copies. An audit never reads it; a restore does.",
        examples: ["file:~/.config/certkeep/identity.txt", "env:CERTKEEP_IDENTITY"],
      }),
    clusters: z
      .optional(z.nullable(z.array(clusterSchema, "a list of clusters, each with a name")))
      .register(help, {
        title: "Clusters",
        description: "The clusters to audit. Without any: the current context of your kubeconfig.",
      }),
    stores: z.optional(z.nullable(storesSchema)).register(help, {
      title: "Stores",
      description: "Where copies, states and registrations are kept.",
    }),
    aws: z.optional(z.nullable(awsSchema)).register(help, {
      title: "AWS",
      description: "The functions on AWS, for whoever works with them from outside.",
    }),
    restores: z
      .optional(z.nullable(z.array(pairSchema, "a list of pairs, each with from and to")))
      .register(help, {
        title: "Restores across clusters",
        description:
          "Pairs of clusters that the deployed function may restore across. Without any: only to where copies came from.",
      }),
    issuers: z.optional(z.nullable(z.array(issuerSchema, "a list of issuers"))).register(help, {
      title: "Private issuers",
      description:
        "CAs of your own whose certificates are judged and backed up as Let's Encrypt's are.",
    }),
    limits: z
      .optional(
        z.nullable(z.array(limitSchema, "a list of limits, each with domain or names, and count")),
      )
      .register(help, {
        title: "Limits",
        description:
          "Limits that an issuer raised for you, instead of those it documents. Each entry has either domain or names.",
      }),
    backups: z
      .optional(
        z.nullable(
          z.strictObject(
            {
              perDay: z
                .optional(
                  z.number(PER_DAY).check(
                    z.refine((n) => Number.isInteger(n), PER_DAY),
                    z.minimum(1, PER_DAY),
                    z.maximum(1_000_000, PER_DAY),
                  ),
                )
                .register(help, {
                  description:
                    "New copies a day and cluster; more are left for the next day and told as backup_quota.",
                  default: DEFAULT_COPIES_PER_DAY,
                  examples: [5000],
                }),
            },
            "the setting perDay",
          ),
        ),
      )
      .register(help, { title: "Backups", description: "How much is kept." }),
    sources: z.optional(z.nullable(sourcesSchema)).register(help, {
      title: "Sources",
      description:
        "What is asked of others than your clusters. Nothing is asked that isn't switched on here.",
    }),
    digest: z
      .optional(
        z.nullable(
          z.strictObject(
            {
              at: z.optional(text(TIME, /^([01]\d|2[0-3]):[0-5]\d$/)).register(help, {
                description:
                  "From when on the day's digest is posted, in UTC. What is critical is posted at once.",
                default: "08:00",
              }),
              weekday: z
                .optional(
                  z.enum(
                    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
                    "a day of the week, such as monday",
                  ),
                )
                .register(help, {
                  description:
                    "The day of the weekly digest, which is posted even if nothing changed.",
                  default: "monday",
                }),
              routes: z
                .optional(
                  z.nullable(
                    z.array(routeSchema, "a list of routes, each with a name and a webhook"),
                  ),
                )
                .register(help, {
                  title: "Routes",
                  description:
                    "Where digests are posted. Without any, only `certkeep digest --dry-run` shows one.",
                }),
            },
            "the settings at, weekday and routes",
          ),
        ),
      )
      .register(help, {
        title: "Digest",
        description: "The message in Slack that says what changed and what needs you.",
      }),
    ignore: z
      .optional(z.nullable(z.array(ignoreSchema, "a list of entries, each with a reason")))
      .register(help, {
        title: "Ignored findings",
        description:
          "Findings that are not told. An entry has a reason and at least one of cluster, namespace, name and code.",
      }),
  },
  "settings, such as recipients: and clusters:",
);

export type ConfigInput = z.infer<typeof configSchema>;
export type RegistrationInput = z.infer<typeof registrationSchema>;
