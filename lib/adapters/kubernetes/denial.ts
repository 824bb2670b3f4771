/**
 * What a cluster says when it refuses a write: its own denial in its own words where they are words, never the
 * request's body. A webhook may quote what it was shown, Secrets included, so whatever looks like a value is cut.
 */
import { CertkeepError } from "../../error.ts";
import { grantManifest } from "../../restoreplan/grant.ts";
import { type Connection, printable, whereOf } from "./connection.ts";
import { type Action, describeAction, parseStatus, statusError } from "./failure.ts";
import { fieldsOf, textOf } from "./json.ts";

/** Words that the API server puts before a denial (apiserver pkg/admission/plugin). */
const DENIAL =
  /^(admission webhook "[^"]{1,253}" denied the request|ValidatingAdmissionPolicy '[^']{1,253}' with binding '[^']{1,253}' denied request|exceeded quota)\b/;
const CALLING = /failed calling webhook "([^"]{1,253})"/;

function messageOf(body: Buffer): string {
  if (body.length > 262_144) return "";
  try {
    const value = fieldsOf(JSON.parse(body.toString("utf8")));
    return value["kind"] === "Status" ? (textOf(value["message"]) ?? "") : "";
  } catch {
    return "";
  }
}

/** Without anything that could be a value: long runs of base64, PEM, quoted or braced bodies. */
export function scrub(message: string): string {
  return printable(
    message
      .replaceAll(/-----BEGIN[\s\S]*?(?:-----END[^-]*-----|$)/g, "…")
      .replaceAll(/\{[\s\S]*\}/g, "{…}")
      .replaceAll(/[A-Za-z0-9+/=_-]{32,}/g, "…"),
    300,
  );
}

/** A refused write in words. */
export function writeError(
  connection: Connection,
  action: Action,
  status: number,
  contentType: string,
  body: Buffer,
): CertkeepError {
  const where = whereOf(connection);
  const message = messageOf(body);
  const denial = DENIAL.exec(message);
  if (denial !== null) {
    const quota = denial[1] === "exceeded quota";
    return new CertkeepError("cluster_rejected", {
      where,
      found: `the cluster refuses to ${describeAction(action)} (status ${status}): ${scrub(message)}`,
      todo: quota
        ? "Raise the quota of the namespace, or delete what isn't needed"
        : "Ask who runs that policy to let it pass; nothing was changed",
    });
  }
  if (message.includes("because it is being terminated")) {
    return new CertkeepError("cluster_rejected", {
      where,
      found: `namespace ${printable(action.namespace ?? "", 63)} is being deleted, and takes nothing new`,
      todo: "Wait until it is gone, then restore with --create-namespace",
    });
  }
  const calling = CALLING.exec(message);
  if (calling !== null) {
    return new CertkeepError("cluster_rejected", {
      where,
      found: `the cluster couldn't ask its webhook ${printable(calling[1] ?? "", 253)} whether to ${describeAction(action)} (status ${status})`,
      todo: "Mend the webhook, or its failurePolicy; nothing was changed",
    });
  }
  if (status === 403) {
    const facts = parseStatus(body);
    if (facts.deniedUser !== null) {
      const manifest = grantManifest({
        verb: action.verb,
        resource: action.resource,
        namespace: action.namespace,
        user: facts.deniedUser,
      });
      return new CertkeepError("cluster_forbidden", {
        where,
        found: `user ${facts.deniedUser} may not ${describeAction(action)} (status 403)`,
        todo:
          manifest === null
            ? `Grant the verb ${action.verb} on ${action.resource}`
            : `This grants it, with kubectl apply -f -:\n${manifest}`,
      });
    }
  }
  return statusError(connection, action, status, contentType, body);
}
