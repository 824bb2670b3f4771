/**
 * What `certkeep check` says in words: the verdict, why, and what the owner will do about it. Pure.
 */
import { formatMs, parseMs } from "../certificate/time.ts";
import type { Hint } from "../certificate/hint.ts";
import { LETS_ENCRYPT } from "../issuer/issuers.ts";
import type { CertManagerReason, CertManagerVerdict } from "../secret/certmanager.ts";
import type { Shape } from "../secret/shapes.ts";
import { hintText } from "./phrases/hints.ts";
import { reasonSentence } from "./phrases/reasons.ts";
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
  /** RFC 4514 text. */
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
  /** What may be wrong with the bytes that Go rejects. */
  readonly hints: readonly Hint[];
  /** Where cert-manager owns the Secret. */
  readonly certManager: CertManagerVerdict | null;
}

export interface CheckView {
  readonly atMs: number;
  readonly width: number;
  readonly style: Style;
}

const STAGING = "It was issued by a staging environment, which no client trusts.";

function reasonOf(reason: CheckResult["reasons"][number]): string {
  return reason === "staging" ? STAGING : reasonSentence(reason);
}

/** Whether its controller asks Let's Encrypt for another. */
function costs({ valid, shape, staging }: CheckResult): boolean {
  return !valid && shape !== "tls" && staging === null;
}

const perSet = LETS_ENCRYPT.limits?.perSet ?? null;
const budget =
  perSet === null
    ? "Each certificate that is asked for again counts against Let's Encrypt's limits; one that " +
      "is put back from a copy costs none."
    : `Let's Encrypt gives ${perSet.count} certificates in ${span(perSet.periodMs)} for one set ` +
      "of names; one that is put back from a copy costs none.";

/** All results, one after the other, and a line that counts them where there are several. */
export function checkText(results: readonly CheckResult[], view: CheckView): string {
  const blocks = results.map((result) => resultText(result, view));
  if (results.some(costs)) blocks.push(budget);
  if (results.length > 1) {
    const bad = results.filter((result) => !result.valid).length;
    blocks.push(
      bad === 0 ? `All ${results.length} are valid.` : `${bad} of ${results.length} are not valid.`,
    );
  }
  return blocks.join("\n\n");
}

function resultText(result: CheckResult, view: CheckView): string {
  const { style, width } = view;
  const verdict = result.valid ? style.green("valid") : style.red("not valid");
  const lines = [`${style.bold(plain(result.subject))}: ${verdict}`];
  const row = (title: string, text: string): void => {
    const [first = "", ...rest] = wrap(plain(text), Math.max(20, width - 10));
    lines.push(
      `  ${style.dim(title.padEnd(8))}${first}`,
      ...rest.map((line) => `          ${line}`),
    );
  };
  for (const reason of result.reasons) row("why", `${reasonOf(reason)} (${reason})`);
  for (const hint of result.hints) row("hint", hintText(hint));
  if (!result.keyChecked) row("key", "The private key wasn't checked: none was given.");
  row("then", ownerText(result));
  if (result.certManager !== null) row("also", certManagerText(result.certManager));
  if (result.domain !== null) row("asked", result.domain);
  if (result.sha256 !== null) {
    row("names", result.names.join(", ") || "none");
    row("issuer", result.issuer ?? "");
    row("time", timeText(result, view.atMs));
    row("serial", result.serial ?? "");
    row("sha256", result.sha256);
  }
  return lines.join("\n");
}

function timeText({ notBefore, notAfter }: CheckResult, atMs: number): string {
  if (notBefore === null || notAfter === null) return "";
  const from = parseMs(notBefore);
  const until = parseMs(notAfter);
  const left = until - atMs;
  if (atMs < from) return `${notBefore} to ${notAfter}, begins in ${span(from - atMs)}`;
  return (
    `${notBefore} to ${notAfter}, ` +
    `${atMs > until ? `ended ${span(left)} ago` : `${span(left)} left`}`
  );
}

const DISCARDS = "throw it away and ask Let's Encrypt for another at the next access";

/** What the pair's owner does. */
function ownerText({ valid, reasons, shape, staging, keyChecked }: CheckResult): string {
  if (valid && !keyChecked) return "A Tailscale owner would keep it if its private key matches.";
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
      ? "Whatever serves this Secret can go on; nothing is wrong with the pair."
      : "Nothing replaces it by itself: whatever serves this Secret goes on with it or fails to " +
          "load it, and clients refuse it.";
  }
  if (valid)
    return shape === null
      ? "A Tailscale owner would keep it."
      : "tailscaled will keep it and go on serving it.";
  if (tolerated) {
    return (
      "tailscaled tolerates this issuer only while it is set up for a directory other than " +
      `Let's Encrypt's own (TS_DEBUG_ACME_DIRECTORY_URL); else it will ${DISCARDS}.`
    );
  }
  switch (shape) {
    case null:
      return `In the place of a Tailscale owner, tailscaled will ${DISCARDS}.`;
    case "ha-ingress":
    case "apiserver-proxygroup":
      return empty
        ? "tailscaled counts it as not there and will ask Let's Encrypt for a certificate at " +
            "the next access; at every access while it can't write this Secret."
        : `tailscaled will ${DISCARDS}; at every access while it can't write this Secret.`;
    default:
      return empty
        ? "tailscaled counts it as not there and will ask Let's Encrypt for a certificate at " +
            "the next access; a pod that still has a good one in memory serves that until it " +
            "restarts."
        : `tailscaled will ${DISCARDS}; a pod that still has a good one in memory serves that ` +
            "until it restarts.";
  }
}

const ORDERS: Readonly<Record<CertManagerReason, string>> = {
  missing_data: "tls.crt or tls.key is empty",
  invalid_private_key: "it can't decode the private key",
  invalid_certificate: "it can't decode the certificate",
  public_keys_differ: "the key doesn't belong to the certificate",
  renewal_due: "renewal is due by its default rule, two thirds of the lifetime",
};

function certManagerText({ keeps, reason, renewalAtMs }: CertManagerVerdict): string {
  if (!keeps && reason !== null)
    return `cert-manager owns it and will order another: ${ORDERS[reason]}.`;
  const until =
    renewalAtMs === null
      ? ""
      : ` until it renews it, by its default rule at ${formatMs(renewalAtMs)}`;
  return (
    `cert-manager owns it and keeps it${until}: it looks at neither trust nor names, as far as ` +
    "the Secret alone tells."
  );
}
