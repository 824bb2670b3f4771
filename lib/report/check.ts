/**
 * What `certkeep check` says in words: the verdict, why, and what the owner will do about it. Pure.
 */
import { formatMs, parseMs } from "../certificate/time.ts";
import type { Hint } from "../certificate/hint.ts";
import { LETS_ENCRYPT } from "../issuer/issuers.ts";
import type { CertManagerReason, CertManagerVerdict } from "../secret/certmanager.ts";
import type { Shape } from "../secret/shapes.ts";
import { hintText, reasonSentence } from "./phrases/reasons.ts";
import { span, type Style, wrap } from "./text.ts";
import { plain } from "../plain.ts";

/** One pair and what was found of it. The first nine are what `--json` prints. */
export interface CheckResult {
  readonly subject: string;
  readonly names: readonly string[];
  readonly valid: boolean;
  readonly reasons: readonly string[];
  /** RFC 3339; `null`, as all that follow, where no certificate could be read. */
  readonly notBefore: string | null;
  readonly notAfter: string | null;
  readonly issuer: string | null;
  /** Lower-case hex. */
  readonly serial: string | null;
  /** Of the leaf, lower-case hex. */
  readonly sha256: string | null;
  /** The name that the certificate had to be for; `null`: none was checked. */
  readonly domain: string | null;
  /** `null` for files. */
  readonly shape: Shape | null;
  /** Title of the staging issuer that it leads to. */
  readonly staging: string | null;
  /** `false`: only the certificate was given. */
  readonly keyChecked: boolean;
  readonly hints: readonly Hint[];
  readonly certManager: CertManagerVerdict | null;
}

export interface CheckView {
  readonly atMs: number;
  readonly width: number;
  readonly style: Style;
}

const STAGING = "Issued by a staging environment, which no client trusts.";

function reasonOf(reason: CheckResult["reasons"][number]): string {
  return reason === "staging" ? STAGING : reasonSentence(reason);
}

/** Whether its controller requests another from Let's Encrypt. */
function costs({ valid, shape, staging }: CheckResult): boolean {
  return !valid && shape !== "tls" && staging === null;
}

const perSet = LETS_ENCRYPT.limits?.perSet ?? null;
const budget =
  "A restore from backup uses no issuance" +
  (perSet === null
    ? "."
    : `; Let's Encrypt allows ${perSet.count} in ${span(perSet.periodMs)} for one set of names.`);

/** All results, one after the other, and a line that counts them where there are several. */
export function checkText(results: readonly CheckResult[], view: CheckView): string {
  const blocks = results.map((result) => resultText(result, view));
  if (results.some(costs)) blocks.push(wrap(budget, view.width).join("\n"));
  if (results.length > 1) {
    const ok = results.filter(({ valid }) => valid).length;
    blocks.push(
      ok === results.length ? `All ${results.length} are OK` : `${ok} of ${results.length} are OK`,
    );
  }
  return blocks.join("\n\n");
}

function resultText(result: CheckResult, view: CheckView): string {
  const { style, width } = view;
  const verdict = result.valid ? style.green("OK") : style.red("REJECTED");
  const lines = [`${style.bold(plain(result.subject))}: ${verdict}`];
  const row = (title: string, text: string): void => {
    const [first = "", ...rest] = wrap(plain(text), Math.max(20, width - 10));
    lines.push(
      `  ${style.dim(title.padEnd(8))}${first}`,
      ...rest.map((line) => `          ${line}`),
    );
  };
  for (const reason of result.reasons) row("Why", `${reasonOf(reason)} (${reason})`);
  for (const hint of result.hints) row("Hint", hintText(hint));
  if (!result.keyChecked) row("Key", "Not checked: no private key was given.");
  row("Then", ownerText(result));
  if (result.certManager !== null) row("", certManagerText(result.certManager));
  if (result.domain !== null) row("Domain", result.domain);
  if (result.sha256 !== null) {
    row("Names", result.names.join(", ") || "none");
    row("Issuer", result.issuer ?? "");
    row("Valid", timeText(result, view.atMs));
    row("Serial", result.serial ?? "");
    row("SHA-256", result.sha256);
  }
  return lines.join("\n");
}

function timeText({ notBefore, notAfter }: CheckResult, atMs: number): string {
  if (notBefore === null || notAfter === null) return "";
  const from = parseMs(notBefore);
  const until = parseMs(notAfter);
  const when =
    atMs < from
      ? `valid in ${span(from - atMs)}`
      : atMs > until
        ? `expired ${span(until - atMs)} ago`
        : `expires in ${span(until - atMs)}`;
  return `${notBefore} to ${notAfter} (${when})`;
}

const DISCARDS =
  "On the next connection Tailscale discards it and requests a new one from Let's Encrypt";
const MISSING =
  "Tailscale treats it as missing and requests a certificate from Let's Encrypt on the next " +
  "connection";
/** A pod of a ProxyGroup reads the Secret each time. */
const AT_EACH = "; on every connection, as long as it can't write this Secret.";
/** Another node has what it loaded. */
const IN_MEMORY = "; a pod with a valid one in memory serves that until it restarts.";

function ownerText({ valid, reasons, shape, staging, keyChecked }: CheckResult): string {
  if (valid && !keyChecked) return "Tailscale would accept it if its private key matches.";
  const empty = reasons.includes("certificate_empty") || reasons.includes("key_empty");
  const tolerated =
    staging !== null &&
    !valid &&
    reasons.every(
      (reason) =>
        reason === "unknown_issuer" || reason === "missing_intermediate" || reason === "staging",
    );
  if (shape === "tls") {
    return valid
      ? "Nothing to do: servers can use it."
      : "Nothing replaces it automatically. The server that uses this Secret keeps it or " +
          "fails to " +
          "load it, and clients reject it.";
  }
  if (valid)
    return shape === null ? "Tailscale would accept it." : "Tailscale accepts it and serves it.";
  if (tolerated) {
    return (
      "Tailscale accepts this issuer only if it is configured for another directory than Let's " +
      "Encrypt's (TS_DEBUG_ACME_DIRECTORY_URL). Otherwise it discards it on the next connection " +
      "and requests a new one from Let's Encrypt."
    );
  }
  switch (shape) {
    case null:
      return `In a Tailscale Secret: ${DISCARDS.slice(0, 1).toLowerCase()}${DISCARDS.slice(1)}.`;
    case "ha-ingress":
    case "apiserver-proxygroup":
      return `${empty ? MISSING : DISCARDS}${AT_EACH}`;
    default:
      return `${empty ? MISSING : DISCARDS}${IN_MEMORY}`;
  }
}

const ORDERS: Readonly<Record<CertManagerReason, string>> = {
  missing_data: "tls.crt or tls.key is empty",
  invalid_private_key: "it can't decode the private key",
  invalid_certificate: "it can't decode the certificate",
  public_keys_differ: "the private key doesn't match the certificate",
  renewal_due: "renewal is due at two thirds of the lifetime, by its default rule",
};

function certManagerText({ keeps, reason, renewalAtMs }: CertManagerVerdict): string {
  if (!keeps && reason !== null) return `cert-manager requests a new one: ${ORDERS[reason]}.`;
  const renews =
    renewalAtMs === null ? "" : ` and renews it at ${formatMs(renewalAtMs)} by its default rule`;
  return (
    `cert-manager accepts it${renews}: as far as the Secret shows, it checks neither trust ` +
    "nor names."
  );
}
