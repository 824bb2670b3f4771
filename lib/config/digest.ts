/** Where digests go and when, and which findings are left out. */
import * as z from "zod/mini";
import {
  CODES,
  currentSeverity,
  EARLIER_INFO,
  SEVERITIES,
  type FindingCode,
  type Severity,
} from "../finding/codes.ts";
import { help, items, list, orElse, orNull, routeName, text } from "./field.ts";
import { endOf, PATTERN, REFERENCE } from "./form.ts";

const FINDING_CODES = Object.keys(CODES) as [FindingCode, ...FindingCode[]];

const ignoreObject = z.strictObject(
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
    reason: text("the reason", /\S/).register(help, {
      description: "Why. Required: every report counts muted findings.",
      examples: ["moves to the new gateway in autumn"],
    }),
    until: orNull(
      z
        .string("a day such as 2026-12-31, or an instant such as 2026-12-31T18:00:00Z")
        .check(
          z.refine(
            (until) => endOf(until) !== null,
            "a day such as 2026-12-31, or an instant such as 2026-12-31T18:00:00Z",
          ),
        ),
    ).register(help, {
      description: "The last day on which it is muted, in UTC, or an instant.",
      examples: ["2026-12-31"],
    }),
  },
  "an entry with a reason",
);

/** Mutes the findings that fit all of what it names, until `untilMs`. */
export const ignoreSchema = z.pipe(
  ignoreObject,
  z.transform((entry) => ({ ...entry, ...ending(entry.until) })),
);

function ending(until: string | null): { untilMs?: number } {
  const untilMs = until === null ? null : endOf(until);
  return untilMs === null ? {} : { untilMs };
}

const routeSchema = z.strictObject(
  {
    name: routeName().register(help, {
      description: "Your name for this route. What was posted is remembered by this name.",
      examples: ["ops"],
    }),
    webhook: text(
      "a reference: env:NAME, file:PATH or secretsmanager://NAME, never the webhook's URL itself",
      REFERENCE,
    ).register(help, {
      description:
        "A reference to the URL of the Slack webhook. The URL is a credential: anyone who " +
        "has it can post.",
      examples: ["env:CERTKEEP_SLACK_WEBHOOK", "file:~/.config/certkeep/slack-webhook"],
    }),
    clusters: orNull(
      list(text("a cluster's name or a pattern", PATTERN), "a list of clusters"),
    ).register(help, {
      description: "Clusters of this route, by name or pattern. Default: all.",
      examples: [["prod-*"]],
    }),
    severity: orElse(
      z.pipe(
        z.enum(
          [...SEVERITIES, EARLIER_INFO] as [Severity, ...Severity[], typeof EARLIER_INFO],
          "critical, warning or info",
        ),
        z.transform((given): Severity => currentSeverity(given)),
      ),
      "info",
    ).register(help, {
      description: "The least severity that is posted on this route.",
      default: "info",
    }),
  },
  "a route: name and webhook",
);

const TIME = "a time of day such as 08:00, in quotes";

const DEFAULT_AT = "08:00";

export const digestSchema = z.pipe(
  z.strictObject(
    {
      at: orElse(text(TIME, /^([01]\d|2[0-3]):[0-5]\d$/), DEFAULT_AT).register(help, {
        description:
          "Time from which the day's digest is posted, in UTC. Critical findings are posted " +
          "at once.",
        default: DEFAULT_AT,
      }),
      weekday: orElse(
        z.enum(
          ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
          "a day of the week, such as monday",
        ),
        "monday",
      ).register(help, {
        description: "The day of the weekly digest, which is posted even if nothing changed.",
        default: "monday",
      }),
      routes: items(routeSchema, "a list of routes, each with a name and a webhook").register(
        help,
        {
          title: "Routes",
          description:
            "Where digests are posted. Without any, only `certkeep digest --dry-run` shows one.",
        },
      ),
    },
    "the settings at, weekday and routes",
  ),
  z.transform(({ at, ...digest }) => ({ ...digest, atMinute: minuteOf(at) })),
);

/** Minute of the day, UTC. */
function minuteOf(at: string): number {
  const [hours = 0, minutes = 0] = at.split(":").map(Number);
  return hours * 60 + minutes;
}

export type IgnoreSetting = z.output<typeof ignoreSchema>;
/** Where digests go; `webhook` is a reference to a credential, `clusters: null` means all. */
export type DigestRoute = z.output<typeof routeSchema>;
