/**
 * What the restoring function is asked for. Strict: a field that isn't known is refused, since a
 * misspelt one would restore something else than was meant. Pure.
 */
import * as z from "zod/mini";
import { parseMsOrNull } from "../../certificate/time.ts";
import { CertkeepError } from "../../error.ts";
import { FORCIBLE, type PlanCode } from "../../restoreplan/objection.ts";
import { flag, orElse, orNull, text } from "../field.ts";
import { LABEL } from "../form.ts";
import { described, isSecretive, pathText } from "../problem.ts";
import { meant } from "../suggest.ts";

const MAX_NAMES = 1000;
const MAX_LENGTH = 512;
const CLUSTER = "the name of a registered cluster";
const NAMES =
  `a list of domains, Secrets, NAMESPACE/SECRET or patterns, at most ${MAX_NAMES}, none of them ` +
  "a key or token";
const INSTANT = "an instant such as 2026-12-24T18:00:00Z";
const FORCE = `a list of what is to be overridden, of: ${FORCIBLE.join(", ")}`;

const restoredName = z.string(NAMES).check(
  z.minLength(1, NAMES),
  z.maxLength(MAX_LENGTH, NAMES),
  z.refine((given) => !isSecretive(given), NAMES),
);

/** A restore as it is asked for. The message of each check is what was expected. */
const restoreEvent = z.strictObject({
  cluster: text(CLUSTER, LABEL),
  /** Domains, Secrets, `namespace/secret`, patterns. */
  names: orElse(z.array(restoredName, NAMES).check(z.maxLength(MAX_NAMES, NAMES)), []),
  namespace: orNull(text("a namespace", LABEL)),
  all: flag("true or false"),
  /** RFC 3339. */
  asOf: orNull(
    z.string(INSTANT).check(z.refine((given) => parseMsOrNull(given) !== null, INSTANT)),
  ),
  version: orNull(
    text("the version of a copy, or its first 8 digits at least", /^[0-9a-f]{8,64}$/i),
  ),
  /** `false`: a plan. */
  apply: flag(
    "true, in small letters and without quotes, to restore; false, or left out, for a plan",
  ),
  unrecorded: flag("true or false"),
  standby: flag("true or false"),
  force: orElse(z.array(z.enum(FORCIBLE as [PlanCode, ...PlanCode[]], FORCE), FORCE), []),
  replace: flag("true or false"),
  createNamespace: flag("true or false"),
  fromCluster: orNull(text(CLUSTER, LABEL)),
});
export type RestoreEvent = z.output<typeof restoreEvent>;

const FIELDS = Object.keys(restoreEvent._zod.def.shape);

/** Fields that somebody may know from the command line, with what to do instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  rebuilt:
    "That a cluster was rebuilt is for a person to say: certkeep clusters add NAME --rebuilt  " +
    "  The function then restores to the successor",
  as:
    "Another place is named on the command line: certkeep restore CLUSTER NAME --as " +
    "NAMESPACE/NAME",
  follow:
    "Run it again while the cluster comes up: it does what is left. Or follow it from the " +
    "command line: certkeep restore CLUSTER --all --apply --follow 30m",
  identity: "Where the identity is, the deployment says",
};

const EXAMPLE = '{"cluster": "prod", "names": ["shop.example.com"], "apply": true}';

/** @throws CertkeepError usage, naming the field */
export function parseRestoreEvent(event: unknown): RestoreEvent {
  const wrong = (
    field: string | null,
    found: string,
    expected: string,
    todo?: string,
  ): CertkeepError =>
    new CertkeepError("usage", {
      where: field === null ? "restore event" : `restore event, ${pathText([field])}`,
      found,
      expected,
      ...(todo === undefined ? {} : { todo }),
    });
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw wrong(null, described(event, null, true), `an object such as ${EXAMPLE}`);
  const parsed = restoreEvent.safeParse(event);
  if (parsed.success) {
    const { names, all, namespace, version, asOf } = parsed.data;
    if (names.length === 0 && !all && namespace === null && version === null && asOf === null)
      throw wrong(
        null,
        "nothing to restore",
        `names, namespace, version, or all, as in ${EXAMPLE}`,
      );
    return parsed.data;
  }
  const { issues } = parsed.error;
  const unknown = issues.find((issue) => issue.code === "unrecognized_keys")?.keys[0];
  if (unknown !== undefined)
    throw wrong(
      unknown,
      "a field that doesn't exist",
      `one of ${FIELDS.join(", ")}`,
      insteadOf(unknown),
    );
  const field = String(issues[0]?.path[0]);
  const value = (event as Readonly<Record<string, unknown>>)[field];
  throw wrong(field, described(value, null, true), issues[0]?.message ?? "");
}

function insteadOf(field: string): string | undefined {
  if (Object.hasOwn(ELSEWHERE, field)) return ELSEWHERE[field];
  const near = meant(field, FIELDS);
  return near === null ? undefined : `Did you mean "${near}"?`;
}
