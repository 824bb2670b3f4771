/**
 * What a webhook answered, by code: Slack's own word, or certkeep's for an answer that isn't
 * Slack's (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, "Handling
 * errors").
 */

/** Words with which Slack says that the webhook takes no message at all. */
const REVOKED: ReadonlySet<string> = new Set([
  "no_service",
  "no_service_id",
  "no_team",
  "team_disabled",
  "invalid_token",
  "no_active_hooks",
  "channel_not_found",
  "channel_is_archived",
  "action_prohibited",
  "user_not_found",
  "posting_to_general_channel_denied",
]);

const OWN: Readonly<Record<string, string>> = {
  timeout: "no answer in time",
  unreachable: "no connection",
  redirect: "a redirect to another address",
  too_much: "an answer that is too long to be Slack's",
  rate_limited: "too many messages (429)",
};

const BODIES: Readonly<Record<string, string>> = {
  page: "a web page",
  json: "JSON",
  empty: "an empty answer",
  text: "a text",
};

/** Whether `word` says that the webhook was revoked, or its channel closed. */
export function isRevoked(word: string): boolean {
  return REVOKED.has(word);
}

/**
 * The code of an answer that isn't Slack's: the kind of its body and its status, such as
 * `page_403`.
 */
export function foreignCode(status: number, body: string): string {
  return `${kindOf(body.trim())}_${status}`;
}

function kindOf(body: string): string {
  if (body === "") return "empty";
  if (body.startsWith("<")) return "page";
  return body.startsWith("{") || body.startsWith("[") ? "json" : "text";
}

/**
 * One clause for people. `code` may come from a stored record: what is not a code is not repeated.
 */
export function answerText(code: string): string {
  const own = Object.hasOwn(OWN, code) ? OWN[code] : undefined;
  if (own !== undefined) return own;
  if (!/^[a-z0-9_]{1,60}$/.test(code)) return "an unknown answer";
  if (isRevoked(code)) return `the webhook was revoked or its channel closed (Slack: ${code})`;
  const [, status] = /^http_(\d{3})$/.exec(code) ?? [];
  if (status !== undefined) return `a server error (status ${status})`;
  const [, kind = "", of] = /^(page|json|empty|text)_(\d{3})$/.exec(code) ?? [];
  if (of !== undefined) return `${BODIES[kind]} with status ${of}, which isn't Slack's answer`;
  return `Slack refused the message (${code})`;
}
