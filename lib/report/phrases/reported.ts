/** Findings from what logs, Events and the API server tell of the controller that owns a Secret. */
import type { FindingParams } from "../../finding/params.ts";
import { instantOf } from "../../certificate/time.ts";
import type { LogSignal } from "../../state/signals.ts";
import { at, own, say, type Text } from "../part.ts";
import { shortened } from "../../plain.ts";
import { byBackup, codeText, type Phrases, timesText } from "./phrase.ts";

type Codes =
  | "issued_not_stored"
  | "rate_limited"
  | "storage_forbidden"
  | "storage_immutable"
  | "storage_failing"
  | "dns_failing"
  | "account_key_lost";

type Reported = FindingParams["storage_failing"];

const MAX_LINES = 5;

const LIMITS: ReadonlyMap<string | null, string> = new Map([
  ["orders", "for too many new orders"],
  ["authorizations", "for too many failed authorizations"],
  ["registrations", "for too many new accounts"],
  ["set", "for too many certificates of the same names"],
  ["domain", "for too many certificates under its domain"],
]);

function signText(sign: LogSignal, untilMs: number | null): Text {
  const code = codeText(sign.code ?? "other");
  const when = timesText(sign);
  switch (sign.kind) {
    case "store_write_failed":
      return say`A certificate was issued and couldn't be stored (${code}), ${when}.`;
    case "store_read_failed":
      return say`The stored certificate couldn't be read (${code}), ${when}.`;
    case "dns_failed":
      return say`Orders fail because of DNS (${code}), ${when}.`;
    case "https_not_enabled":
      return say`No certificate is issued, because HTTPS isn't enabled for this name, ${when}.`;
    case "replaces_refused":
      return say`The issuer refused the renewal, because another ACME account requested the
        certificate before, ${when}.`;
    case "paused":
      return say`The issuer paused the account for this name, ${when}.`;
    case "rate_limited":
      return say`The issuer refused an order
        ${own(LIMITS.get(sign.code) ?? "by one of its limits")}, ${when};
        ${untilMs === null ? own("until when is unknown") : say`until ${at(untilMs)}`}.`;
    default:
      return say`${codeText(sign.kind)}, ${when}.`;
  }
}

function seenText(params: Reported): Text {
  switch (params.by) {
    case "log":
      return signText(params.signs[0], params.untilMs);
    case "event":
      return say`${params.event.reason} on ${params.event.object} in ${params.event.namespace},
        ${timesText(params.event)}.`;
    case "unplaced":
      return say`Logs report the same for ${params.count} more names without a known Secret.`;
  }
}

function evidenceOf(params: Reported): readonly Text[] {
  switch (params.by) {
    case "log":
      return params.signs
        .slice(0, MAX_LINES)
        .map(({ where, sample }) => say`${where}: ${shortened(sample)}`);
    case "event":
      return [say`the first time it said: ${shortened(params.event.message)}`];
    case "unplaced":
      return [];
  }
}

const WAIT = "Restore from backup; without one, wait or use another host name";

const NO_BACKUP_LIMITED = {
  key: "limited_no_backup",
  general: "No usable backup: wait, or use another host name",
} as const;

const ASSUMED =
  " No pod that writes there was seen: this is the account that the operator creates.";

/** A registered domain's limit is one of new names. */
function isOfDomain(params: FindingParams["rate_limited"]): boolean {
  return params.by === "refusal"
    ? params.kind === "domain"
    : params.by === "log" && params.signs[0].code === "domain";
}

export const REPORTED_PHRASES: Phrases<Codes> = {
  issued_not_stored: {
    when: "The log says that a certificate was issued and couldn't be stored.",
    seen: ({ params }) => seenText(params),
    leadsTo: "The next connection issues and loses another one; five of them use up the week.",
    advice: "Let the controller write the Secret again before anyone uses the service",
    evidence: ({ params }) => evidenceOf(params),
  },
  rate_limited: {
    when:
      "The log reports a refusal by the issuer (429) whose time isn't over or is unknown. A " +
      "warning where a valid certificate is live.",
    seen: ({ params }) =>
      params.by === "refusal"
        ? say`The issuer refuses
          ${own(params.kind === "set" ? "" : "new names under ")}${shortened(params.key)} until
          ${at(params.untilMs)} (429 in the log).`
        : seenText(params),
    leadsTo: "No certificate for these names until then.",
    leadsToOf: ({ params }) =>
      isOfDomain(params)
        ? "No first certificate for a new name under this domain until then; renewals go on."
        : "No certificate for these names until then.",
    advice: WAIT,
    adviceOf: ({ params }) => {
      if (isOfDomain(params))
        return {
          key: "limited_domain",
          general: "Wait with new names under this domain; what exists is renewed all the same",
          own: params.by === "refusal" ? say`The issuer refuses until ${at(params.untilMs)}.` : [],
        };
      if ((params.by === "log" || params.by === "refusal") && params.restore !== null) {
        const { untilMs, restore } = params;
        return {
          ...byBackup(restore, NO_BACKUP_LIMITED),
          own: untilMs === null ? [] : say`The issuer refuses until ${at(untilMs)}.`,
        };
      }
      if ((params.by === "log" || params.by === "refusal") && params.safe)
        return {
          key: "limited_safe",
          general: "Keep the live certificate, which is valid: no other is issued until then",
          own: [],
        };
      return params.by === "refusal"
        ? {
            key: "rate_limited",
            general: WAIT,
            own: say`The issuer refuses until ${at(params.untilMs)}.`,
          }
        : WAIT;
    },
    evidence: ({ params }) =>
      params.by === "refusal"
        ? [
            say`${params.where} at ${own(instantOf(params.seenMs))}`,
            ...(params.burst === null ? [] : [`limit of ${params.burst}`]),
          ]
        : evidenceOf(params),
  },
  storage_forbidden: {
    when:
      "The API server says that the service account of the controller has no permission to read " +
      "or write its Secret. A warning where none of its pods was seen, so that the account is " +
      "the one that its operator creates.",
    seen: ({ params: { accounts, verbs, sinceMs, assumed, secrets } }) =>
      say`${accounts.join(" and ")} lacks permission to ${verbs.join(" or ")}
        ${secrets === 1 ? own("the Secret") : say`${secrets} Secrets`}, since ${at(sinceMs)} or
        earlier.${own(assumed ? ASSUMED : "")}`,
    leadsTo: "Each connection issues a certificate that can't be stored.",
    leadsToOf: ({ params }) =>
      params.assumed
        ? "If pods with this account run, they issue certificates that can't be stored."
        : "Each connection issues a certificate that can't be stored.",
    advice:
      "Grant the permission again: look for a RoleBinding that is missing or names another account",
    evidence: ({ params }) =>
      params.answers.map(
        ({ account, verb, reason, askedMs }) =>
          say`${account} ${verb}: no${reason === "" ? [] : say`, ${shortened(reason)}`} (asked
            ${own(instantOf(askedMs))})`,
      ),
  },
  storage_immutable: {
    when: "A Secret that its controller has to write is immutable.",
    seen: () => say`The Secret is immutable, so no renewal can be stored.`,
    leadsTo: "A renewal is issued and can't be stored, again on each connection.",
    advice: "Recreate the Secret without immutable: true; a restore with --replace does",
    adviceOf: ({ params }) =>
      params.recreates
        ? {
            key: "recreate",
            general: "Recreate the Secret without immutable: true, which this restore does",
            own: [],
          }
        : {
            key: "recreate_by_hand",
            general: "Recreate the Secret without immutable: true and with the same fields",
            own: [],
          },
    evidence: ({ params }) => ["immutable: true", `read ${instantOf(params.readMs)}`],
  },
  storage_failing: {
    when:
      "The log or Events report failures to read or write the Secret that are neither of the " +
      "two above.",
    seen: ({ params }) => seenText(params),
    leadsTo: "A certificate that is issued meanwhile is lost.",
    advice: "Check the API server: its load, storage, webhooks and quotas",
    evidence: ({ params }) => evidenceOf(params),
  },
  dns_failing: {
    when: "The log reports names that couldn't be looked up, or challenges that failed.",
    seen: ({ params }) => seenText(params),
    leadsTo: "No certificate is issued or renewed while it lasts.",
    advice:
      "Check the cluster's resolver, and whether HTTPS certificates are enabled for the tailnet",
    evidence: ({ params }) => evidenceOf(params),
  },
  account_key_lost: {
    when:
      "The issuer refuses renewals because another ACME account requested the certificate " +
      "before.",
    seen: ({ params }) => seenText(params),
    leadsTo: "Every renewal fails until the certificate expires.",
    advice:
      "Restore the ACME account key that the certificate was issued under, then restart the node",
    evidence: ({ params }) => evidenceOf(params),
  },
};
