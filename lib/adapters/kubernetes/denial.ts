/**
 * Why a cluster refused a write. Who refuses was shown the request, private keys included, and can
 * put them into a message in any form. So of a message only names are printed that the API server
 * itself writes at its beginning, and those only where they are DNS names.
 */
import { CertkeepError } from "../../error.ts";
import { grantManifest } from "../../restoreplan/grant.ts";
import { type Connection, printable, whereOf } from "./connection.ts";
import {
  type Action,
  type StatusFacts,
  describeAction,
  parseStatus,
  shownStatus,
  statusError,
} from "./failure.ts";
import type { HttpAnswer } from "./http.ts";

/** k8s.io/apimachinery pkg/api/errors, NewForbidden: what built-in admission plugins begin with. */
const FORBIDDEN = String.raw`(?:[a-z0-9.-]{1,253} "[^"\\]{1,253}" is forbidden: )?`;
/** k8s.io/apiserver pkg/admission/plugin/webhook/errors, ToStatusErr. */
const WEBHOOK = /^admission webhook "([^"\\]{1,253})" denied the request\b/;
/** k8s.io/apiserver pkg/admission/plugin/policy/validating. */
const POLICY = new RegExp(
  `^${FORBIDDEN}ValidatingAdmissionPolicy '([^']{1,253})' (?:with binding '[^']{1,253}' ` +
    ")?denied request\\b",
);
const QUOTA = new RegExp(`^${FORBIDDEN}exceeded quota: `);
const TERMINATING = new RegExp(`^${FORBIDDEN}unable to create new content in namespace `);
/** k8s.io/apiserver pkg/util/webhook, ErrCallingWebhook. */
const CALLING = /^Internal error occurred: failed calling webhook "([^"\\]{1,253})"/;

const ASK =
  "Read the reason in its log or policy: certkeep doesn't print it, since it can contain the " +
  "private key. Nothing was changed";

/** A label of a name as the API server takes it (RFC 1123). */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

function named(what: string, name = ""): string {
  return name.split(".").every((label) => LABEL.test(label))
    ? `${what} ${name}`
    : `${what} (its name isn't a DNS name)`;
}

interface Denied {
  /** What was to be done. */
  readonly what: string;
  readonly namespace: string;
  /** As the message names it. */
  readonly name: string | undefined;
}

/** What a message begins with, what happened, and what to do. */
const DENIALS: readonly (readonly [RegExp, (denied: Denied) => string, string])[] = [
  [
    WEBHOOK,
    ({ what, name }) => `${named("admission webhook", name)} denied the request to ${what}`,
    ASK,
  ],
  [
    POLICY,
    ({ what, name }) => `${named("ValidatingAdmissionPolicy", name)} denied the request to ${what}`,
    ASK,
  ],
  [
    QUOTA,
    ({ what, namespace }) =>
      `a resource quota of namespace ${namespace} is used up, so the cluster refuses to ${what}`,
    "Raise the quota, or delete what isn't needed",
  ],
  [
    TERMINATING,
    ({ namespace }) => `namespace ${namespace} is being deleted and accepts nothing new`,
    "Wait until it is deleted, then restore with --create-namespace",
  ],
  [
    CALLING,
    ({ what, name }) =>
      `the call to ${named("admission webhook", name)} failed, so the cluster refuses to ${what}`,
    "Fix the webhook, or its failurePolicy. Nothing was changed",
  ],
];

function denialOf(
  message: string,
  action: Action,
): { readonly found: string; readonly todo: string } | null {
  const namespace = printable(action.namespace ?? "", 63);
  for (const [pattern, found, todo] of DENIALS) {
    const match = pattern.exec(message);
    if (match !== null)
      return { found: found({ what: describeAction(action), namespace, name: match[1] }), todo };
  }
  return null;
}

/** Of a registration (lib/rbac/manifest.ts). */
const READING_ACCOUNT = /^system:serviceaccount:certkeep:certkeep-([a-z0-9-]+)-read$/;

function forbidden(
  connection: Connection,
  action: Action,
  { deniedUser }: StatusFacts,
): CertkeepError | null {
  if (deniedUser === null) return null;
  const { verb, resource, namespace } = action;
  const found = `user ${deniedUser} has no permission to ${describeAction(action)} (status 403)`;
  // A credential that reads stays one that only reads.
  const [, registration] = READING_ACCOUNT.exec(deniedUser) ?? [];
  if (registration !== undefined)
    return new CertkeepError("cluster_forbidden", {
      where: whereOf(connection),
      found,
      todo: `Add a restoring credential: certkeep clusters add ${registration} --with restore`,
    });
  const manifest = grantManifest({ verb, resource, namespace, user: deniedUser });
  return new CertkeepError("cluster_forbidden", {
    where: whereOf(connection),
    found,
    todo:
      manifest === null
        ? `Grant the verb ${verb} on ${resource}`
        : "Grant it with kubectl apply -f -:",
    lines: manifest?.split("\n"),
  });
}

/** A refused write in words. */
export function writeError(
  connection: Connection,
  action: Action,
  answer: Pick<HttpAnswer, "status" | "contentType" | "body">,
): CertkeepError {
  const { status } = answer;
  const facts = parseStatus(answer.body);
  const denial = denialOf(facts.message, action);
  if (denial !== null)
    return new CertkeepError("cluster_rejected", {
      where: whereOf(connection),
      found: `${denial.found} (${shownStatus(status, facts)})`,
      todo: denial.todo,
    });
  return (
    (status === 403 ? forbidden(connection, action, facts) : null) ??
    statusError(connection, action, answer)
  );
}
