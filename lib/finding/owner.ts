/**
 * Who keeps a Secret, and what that owner does about what is wrong with it: they differ. Tailscale throws away what
 * doesn't validate; cert-manager looks at key and certificate alone (policies/checks.go) and goes on serving the rest;
 * a Secret that a person made is served as it is.
 */
import type { Owner } from "../state/certificates.ts";

export interface Consequence {
  /** Who refuses it, as the subject of a sentence. */
  readonly refuser: string;
  readonly leadsTo: string;
}

/** What comes of a pair that doesn't validate. */
export function consequence(owner: Owner, label: string, pairFits: boolean): Consequence {
  if (owner === "tailscale")
    return {
      refuser: `The owner of ${label}`,
      leadsTo: "its owner throws it away and asks for another at the next access",
    };
  if (owner === "nobody")
    return {
      refuser: `Clients of ${label}`,
      leadsTo: "an outage for its clients; no owner is known that would renew it",
    };
  return pairFits
    ? {
        refuser: `Clients of ${label}`,
        leadsTo:
          "an outage for its clients: cert-manager looks at key and certificate alone, so it keeps this and goes on serving it until its renewal",
      }
    : {
        refuser: `Clients of ${label}`,
        leadsTo:
          "cert-manager orders another at once, since key and certificate don't fit each other",
      };
}

/** What comes of a Secret, or its fields, being gone. */
export function lossLeadsTo(owner: Owner): string {
  if (owner === "tailscale")
    return "its owner asks for a new certificate at the next access, which uses up one of five a week";
  if (owner === "cert-manager")
    return "cert-manager orders a new one within seconds while its Certificate is there, which uses up one of five a week";
  return "an outage for its clients; no owner is known that would issue another";
}
