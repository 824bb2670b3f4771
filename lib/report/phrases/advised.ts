/**
 * What to do about a certificate that fails or is lost, by what is known of backups and issuances.
 */
import { spanPhrase } from "../text.ts";
import type { Owner } from "../../state/certificates.ts";
import type { Advice, OtherWay } from "../../ratelimit/advice.ts";
import type { Budget } from "../../ratelimit/budget.ts";
import { at, own, say, type Text } from "../part.ts";
import { leftText } from "./limits.ts";
import { type AdvicePhrase, RESTORE, STORE_UNREAD } from "./phrase.ts";

export interface Advised {
  readonly owner: Owner;
  /** The host name that it is for. */
  readonly name: string;
  /** It is valid, and due for renewal. */
  readonly renews?: boolean;
}

const WAYS: Readonly<Record<OtherWay, string>> = {
  other_host_name: "use another host name",
  staging: "use the staging environment for a test",
};

function tightest({ set, domains }: Advice): Budget | null {
  const budgets = set === null ? domains : [set, ...domains];
  return budgets.toSorted((a, b) => a.atMost - b.atMost)[0] ?? null;
}

function leftSentence(advice: Advice): Text {
  const budget = tightest(advice);
  return budget === null ? [] : say`${leftText(budget)}.`;
}

const HOST = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i;

function reissuePhrase(advice: Advice, { owner, name }: Advised): AdvicePhrase {
  const left = leftSentence(advice);
  if (owner === "cert-manager")
    return {
      key: "reissue:cert-manager",
      general: "No usable backup: let cert-manager issue a new certificate",
      own: left,
      alone: own("Let cert-manager issue a new certificate"),
      several: "Let cert-manager issue new certificates",
    };
  if (owner === "nobody")
    return {
      key: "reissue:nobody",
      general: "No usable backup: issue a new certificate",
      own: left,
      alone: own("Issue a new certificate"),
      several: "Issue new certificates",
    };
  const open = HOST.test(name) ? say`Open https://${name} once` : say`Open the service once`;
  const budget = tightest(advice);
  const uses = budget === null ? "" : ` (uses 1 of ${budget.limit.burst})`;
  return {
    key: "reissue:tailscale",
    general: "No usable backup: open the service once, and Tailscale requests a new certificate",
    own: left.length === 0 ? say`${open}.` : say`${open}. ${left}`,
    // That there is no backup is part of what happened.
    alone: say`${open}; Tailscale requests a new certificate${own(uses)}`,
    several: "Open each service once; Tailscale requests new certificates",
  };
}

/** It is valid, not renewed in time, and the issuer allows another one. */
function renewalPhrase(advice: Advice, { owner, name }: Advised): AdvicePhrase {
  const budget = tightest(advice);
  const left =
    budget === null ? [] : say` (${budget.atMost} of ${budget.limit.burst} issuances left)`;
  const rest = leftSentence(advice);
  if (owner === "tailscale") {
    const general = "Open the service once to trigger renewal";
    const open = HOST.test(name) ? say`Open https://${name} once to trigger renewal` : own(general);
    return {
      key: "renew:tailscale",
      general,
      own: rest,
      alone: say`${open}${left}`,
      several: "Open each service once to trigger renewal",
    };
  }
  const general =
    owner === "cert-manager"
      ? "Check why cert-manager doesn't renew it"
      : "Renew it: no known controller does";
  const several =
    owner === "cert-manager"
      ? "Check why cert-manager doesn't renew them"
      : "Renew them: no known controller does";
  return { key: `renew:${owner}`, general, own: rest, alone: say`${own(general)}${left}`, several };
}

function waitText({ untilMs, set, domains }: Advice): Text {
  if (untilMs === null) return [];
  const latest = [set, ...domains].some(
    (budget) => budget?.overshot === true && budget.freeFromMs === untilMs,
  );
  const atMs = (set ?? domains[0])?.atMs;
  const text = [
    latest ? " at the latest" : "",
    atMs === undefined ? "" : `, in ${spanPhrase(untilMs - atMs)}`,
  ].join("");
  return say`The issuer refuses until ${at(untilMs)}${own(text)}.`;
}

export function advisedPhrase(advice: Advice, advised: Advised): AdvicePhrase {
  switch (advice.action) {
    case "restore":
      return { ...RESTORE, own: leftSentence(advice) };
    case "reissue":
      return advised.renews === true
        ? renewalPhrase(advice, advised)
        : reissuePhrase(advice, advised);
    case "wait": {
      if (advised.renews === true)
        return {
          key: "wait_renewal",
          general: "Wait: the issuer allows no certificate for these names yet",
          own: waitText(advice),
        };
      const ways = advice.otherWays.map((way) => WAYS[way]);
      return {
        key: `wait:${advice.otherWays.join()}`,
        general:
          "No usable backup: wait until the issuer allows " +
          `another${ways.length === 0 ? "" : `, or ${ways.join(", or ")}`}`,
        own: waitText(advice),
      };
    }
    case "unknown":
      if (advice.because.includes("copies_unread"))
        return { ...STORE_UNREAD, own: waitText(advice) };
      if (advice.because.includes("issuer_unknown"))
        return {
          key: "issuer_unknown",
          general:
            "No usable backup, and the issuer is unknown: find out how to get a new certificate",
          own: [],
        };
      return {
        key: "limit_unknown",
        general:
          "No usable backup, and the issuer's limits are unknown: issue a new certificate once",
        own: [],
      };
  }
}
