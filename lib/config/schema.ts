/**
 * The settings of `certkeep.yaml`, and what they mean: the type of a configuration follows from
 * this schema. The message of each check is what was expected; titles, descriptions and examples
 * are for editors. What spans several settings (a name used twice, an entry that selects nothing)
 * is checked in lib/config/parse.ts.
 */
import * as z from "zod/mini";
import { clusterSchema } from "./cluster.ts";
import { digestSchema, ignoreSchema } from "./digest.ts";
import {
  clusterName,
  flag,
  help,
  HTTPS,
  items,
  list,
  orElse,
  orNull,
  recipient,
  section,
  text,
} from "./field.ts";
import {
  BACKUP_STORE,
  DOMAIN,
  FUNCTION_NAME,
  HTTPS_URL,
  REFERENCE,
  REGION,
  SECRETS_STORE,
  STAGE,
  STATE_STORE,
  TOPIC_ARN,
} from "./form.ts";
import { issuerSchema, limitSchema } from "./issuer.ts";

/**
 * New copies a day and cluster. High enough that the first audit of a cluster of a thousand
 * certificates keeps them all the same day, and that 10,000 certificates renewed every 60 days (167
 * a day) never meet it; low enough that somebody who fills a cluster with borrowed certificates
 * costs about 10 MB a day, not a disk.
 */
const DEFAULT_COPIES_PER_DAY = 1000;

const storesSchema = z.strictObject(
  {
    backups: orNull(
      text("file: and a folder, s3://BUCKET/PREFIX, or secretsmanager://PREFIX", BACKUP_STORE),
    ).register(help, {
      description: "Where encrypted backups are stored. Default: your data folder.",
      examples: [
        "file:~/certkeep/backups",
        "s3://my-bucket/backups",
        "secretsmanager://certkeep/prod/backups",
      ],
    }),
    state: orNull(text("file: and a folder, or s3://BUCKET/PREFIX", STATE_STORE)).register(help, {
      description: "Where states are stored. Default: your data folder.",
      examples: ["file:~/certkeep/state", "s3://my-bucket/state"],
    }),
    registry: orNull(
      text("secretsmanager://PREFIX, such as secretsmanager://certkeep/prod", SECRETS_STORE),
    ).register(help, {
      description:
        "Where clusters are registered, with their credentials. Default: clusters/ beside " +
        "this file.",
      examples: ["secretsmanager://certkeep/prod"],
    }),
  },
  "the settings backups, state and registry",
);

const awsSchema = z.strictObject(
  {
    region: text("an AWS region, such as eu-west-1", REGION).register(help, {
      description: "The region of the stores. Without aws: the one that the AWS command line uses.",
      examples: ["eu-west-1"],
    }),
    stage: orNull(
      text("a stage: small letters, digits and -, at most 20, beginning with a letter", STAGE),
    ).register(help, { description: "The stage of the deployed functions.", examples: ["prod"] }),
    topic: orNull(text("the ARN of an SNS topic", TOPIC_ARN)).register(help, {
      description: "The alarms' topic; doctor checks that it has a subscription.",
      examples: ["arn:aws:sns:eu-west-1:123456789012:certkeep-prod-alarms"],
    }),
    restoreFunction: orNull(text("the name of a Lambda function", FUNCTION_NAME)).register(help, {
      description: "The function that restores, for the commands that findings offer.",
      examples: ["certkeep-prod-restore"],
    }),
  },
  "the settings region, stage, topic and restoreFunction",
);

const pairSchema = z.strictObject(
  {
    from: clusterName().register(help, {
      description: "The cluster whose backups are used.",
      examples: ["prod"],
    }),
    to: clusterName().register(help, {
      description: "The cluster that they may be restored to.",
      examples: ["prod-standby"],
    }),
  },
  "a pair: from and to",
);

const SWITCH = "true, false";

const transparencyObject = z.strictObject({
  url: orNull(text(HTTPS, HTTPS_URL)).register(help, {
    description: "Address of Cert Spotter's API.",
    default: "https://api.certspotter.com/v1/issuances",
  }),
  token: orNull(
    text(
      "a reference: env:NAME, file:PATH or secretsmanager://NAME, never the token itself",
      REFERENCE,
    ),
  ).register(help, {
    description: "A reference to the API token. Without one, fewer requests an hour are answered.",
    examples: ["env:CERTSPOTTER_TOKEN"],
  }),
  domains: orNull(
    list(
      z.pipe(
        text("a domain: host names' labels, with at least one dot", DOMAIN),
        z.transform((domain) => domain.toLowerCase()),
      ),
      "a list of domains",
    ),
  ).register(help, {
    description:
      "Domains to ask about. Default: the registered domains of the public certificates " +
      "that audits saw.",
    examples: [["tail1a2b3.ts.net"]],
  }),
});

const transparencyUnion = z.union(
  [z.boolean(), transparencyObject],
  `${SWITCH}, or the settings url, token and domains`,
);

/** `true` asks as `{}` does; `null`: nothing is asked. */
const transparencyField = z.pipe(
  z.optional(transparencyUnion),
  z.transform((given) =>
    given === undefined || given === false
      ? null
      : given === true
        ? z.parse(transparencyObject, {})
        : given,
  ),
);

const sourcesSchema = z.strictObject(
  {
    transparency: transparencyField.register(help, {
      title: "Certificate Transparency",
      description:
        "Ask Cert Spotter which certificates are in public logs, so that certificates in " +
        "no Secret count too. It learns the domains, which the logs show anyway.",
      default: false,
      examples: [true],
    }),
    renewalInfo: flag(SWITCH).register(help, {
      title: "Suggested renewal times",
      description:
        "Ask the issuer when each certificate should be renewed (ACME Renewal " +
        "Information), to notice forced renewals.",
      default: false,
    }),
    revocation: flag(SWITCH).register(help, {
      title: "Revocation lists",
      description: "Read the issuer's revocation lists in audits, to report revoked certificates.",
      default: false,
    }),
  },
  "the settings transparency, renewalInfo and revocation",
);

const PER_DAY = "a whole number from 1 to 1000000";

const backupsSchema = z.strictObject(
  {
    perDay: orElse(
      z.number(PER_DAY).check(
        z.refine((n) => Number.isInteger(n), PER_DAY),
        z.minimum(1, PER_DAY),
        z.maximum(1_000_000, PER_DAY),
      ),
      DEFAULT_COPIES_PER_DAY,
    ).register(help, {
      description:
        "New backups per day and cluster. The rest waits for the next day (finding " +
        "backup_quota).",
      default: DEFAULT_COPIES_PER_DAY,
      examples: [5000],
    }),
  },
  "the setting perDay",
);

const recipients = z.pipe(
  z.optional(z.nullable(z.array(recipient, "a list of age recipients"))),
  z.transform((given): readonly string[] => [...new Set(given ?? [])]),
);

export const configSchema = z.strictObject(
  {
    recipients: recipients.register(help, {
      title: "Recipients",
      description:
        "Who can decrypt the backups: age recipients (public keys). Without any, nothing " +
        "is backed up.",
      examples: [["age1…"]],
    }),
    identity: orNull(
      text(
        "a reference: file:PATH, env:NAME or secretsmanager://NAME, never the identity itself",
        REFERENCE,
      ),
    ).register(help, {
      title: "Identity",
      description:
        "A reference to the identity (private key) that decrypts backups. Restores and " +
        "drills use it; audits never do.",
      examples: ["file:~/.config/certkeep/identity.txt", "env:CERTKEEP_IDENTITY"],
    }),
    clusters: items(clusterSchema, "a list of clusters, each with a name").register(help, {
      title: "Clusters",
      description: "Clusters to audit. Default: the current context of your kubeconfig.",
    }),
    stores: section(storesSchema).register(help, {
      title: "Stores",
      description: "Where backups, states and registrations are stored.",
    }),
    aws: orNull(z.nullable(awsSchema)).register(help, {
      title: "AWS",
      description: "The functions on AWS.",
    }),
    restores: items(pairSchema, "a list of pairs, each with from and to").register(help, {
      title: "Restores across clusters",
      description:
        "Pairs of clusters between which the function on AWS may restore. Default: only to " +
        "the cluster that a backup came from.",
    }),
    issuers: items(issuerSchema, "a list of issuers").register(help, {
      title: "Private issuers",
      description:
        "Your own CAs. Their certificates are audited and backed up like Let's Encrypt's.",
    }),
    limits: items(limitSchema, "a list of limits, each with domain or names, and count").register(
      help,
      {
        title: "Limits",
        description:
          "Rate limits that an issuer raised for you. Each entry has either domain or names.",
      },
    ),
    backups: section(backupsSchema).register(help, {
      title: "Backups",
      description: "Limits of backups.",
    }),
    sources: section(sourcesSchema).register(help, {
      title: "Sources",
      description: "Services outside your clusters. Each is off by default.",
    }),
    digest: section(digestSchema).register(help, {
      title: "Digest",
      description: "The Slack message with what changed and what needs action.",
    }),
    ignore: items(ignoreSchema, "a list of entries, each with a reason").register(help, {
      title: "Ignored findings",
      description:
        "Findings to mute. Each entry needs a reason and at least one of cluster, " +
        "namespace, name and code.",
    }),
  },
  "settings, such as recipients: and clusters:",
);

/** What a configuration says, once parsed: everything is there, `null` for what is absent. */
export type Config = z.output<typeof configSchema>;
/** The stack of functions on AWS, as far as whoever works with it from outside has to know it. */
export type AwsSettings = NonNullable<Config["aws"]>;
/** The deployed restore may take `from`'s copies and write them to `to`. */
export type RestorePair = Config["restores"][number];
/** A search of certificate logs that is asked for a domain's certificates. */
export type TransparencySetting = NonNullable<SourcesConfig["transparency"]>;
/** What is asked of others than the clusters. Nothing is asked that isn't switched on. */
export type SourcesConfig = Config["sources"];

/** What an empty file means. */
export const DEFAULT_CONFIG: Config = z.parse(configSchema, {});
