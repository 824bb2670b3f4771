/**
 * Secrets that the operator makes itself and that must never be made for it: a proxy's own (B), a
 * ProxyGroup's state (E), a recorder's (G). One that exists already would keep the operator from
 * making an auth key, and the proxy could never log in. So an existing one is patched, and all else
 * waits.
 *
 * A recreated proxy has a Secret of another, random name. It is found by its parent's labels, and
 * it is the right one if the machine has the certificate's name: `device_fqdn` once it ran, before
 * that the host name in the configuration that the operator wrote for it.
 */
import { LABEL } from "../../secret/shapes.ts";
import type { LiveSecret, OpenedCopy } from "../view.ts";
import type { Restart } from "../item.ts";
import {
  refused,
  rolloutRestart,
  statefulSetOf,
  type Site,
  siteAt,
  type SiteContext,
  type SiteRule,
} from "./site.ts";

const PARENT_LABELS = [LABEL.parent, LABEL.parentNamespace, LABEL.parentType] as const;

/** Whether `secret` was made for the same parent as the copy's. */
export function sameParent(copy: OpenedCopy, secret: Pick<LiveSecret, "labels">): boolean {
  const wanted = copy.record.labels[LABEL.parent];
  if (wanted === undefined || secret.labels[LABEL.managed] !== "true") return false;
  return PARENT_LABELS.every(
    (label) => (secret.labels[label] ?? "") === (copy.record.labels[label] ?? ""),
  );
}

/**
 * `device`: it ran under this name; `host`: it hasn't run, and will ask for this name; `other`: it
 * has another; `open`: not known yet.
 */
function matchOf(
  copy: OpenedCopy,
  secret: Pick<LiveSecret, "deviceName" | "hostName">,
  domain: string | null,
): "device" | "host" | "other" | "open" {
  // An account key has no name of its own: its parent alone decides.
  if (domain === null || copy.record.header.kind === "account-key")
    return secret.deviceName === null ? "host" : "device";
  const fqdn = domain.toLowerCase();
  if (secret.deviceName !== null)
    return secret.deviceName.toLowerCase() === fqdn ? "device" : "other";
  if (secret.hostName === null) return "open";
  return secret.hostName.toLowerCase() === fqdn.split(".")[0] ? "host" : "other";
}

function restartOf(secret: LiveSecret): Restart {
  const set = statefulSetOf(secret.name);
  if (secret.deviceName === null)
    return { needed: "no", action: null, note: { reads: "proxy_not_started" } };
  const action = set === null ? null : rolloutRestart(secret.namespace, "statefulset", set);
  return { needed: "yes", action, note: { reads: "proxy_at_start" } };
}

export const standaloneSite: SiteRule = (copy, context): Site => {
  const { views, as } = context;
  const old = { namespace: copy.record.header.namespace, name: copy.record.header.secret };
  if (as !== null)
    return refused(as, views.at(as.namespace, as.name), "place_not_for_shape", {
      kind: "random_names",
    });
  const site = siteAt(copy, context);
  const { live: before } = site;
  if (before.state === "unknown")
    return {
      ...site,
      mayCreate: false,
      restart: () => ({ needed: "unknown", action: null, note: { reads: "none" } }),
    };
  const domain = copy.record.header.kind === "account-key" ? null : copy.record.header.fieldBase;
  const candidates = views
    .managed(old.namespace)
    .filter((secret) => sameParent(copy, secret) && !secret.deleting);
  if (before.state === "present" && !candidates.some(({ name }) => name === old.name))
    candidates.unshift(before.secret);
  const fit = candidates.filter((secret) =>
    ["device", "host"].includes(matchOf(copy, secret, domain)),
  );
  const own = fit.find(({ name }) => name === old.name);
  const chosen = own ?? fit[0];
  if (chosen !== undefined && (own !== undefined || fit.length === 1))
    return chosenSite(chosen, old.name);
  if (fit.length > 1)
    return refused(null, before, "several_places", {
      kind: "secrets",
      names: fit.map(({ name }) => name),
    });
  const other = candidates.find((secret) => matchOf(copy, secret, domain) === "other");
  if (other !== undefined) {
    return refused(
      { namespace: other.namespace, name: other.name },
      { state: "present", secret: other },
      "device_renamed",
      {
        kind: "device",
        name: other.deviceName ?? other.hostName,
        isToCome: other.deviceName === null,
        domain,
      },
    );
  }
  return waits(old, before, copy, context);
};

function chosenSite(secret: LiveSecret, from: string): Site {
  const { namespace, name } = secret;
  return {
    to: { namespace, name },
    live: { state: "present", secret },
    mayCreate: false,
    verdict: null,
    restart: () => restartOf(secret),
    notes: name === from ? [] : [{ note: "secret_renamed", from, to: name }],
  };
}

function waits(
  old: { readonly namespace: string; readonly name: string },
  live: Site["live"],
  copy: OpenedCopy,
  { views }: SiteContext,
): Site {
  const name = copy.record.labels[LABEL.parent];
  const namespace = copy.record.labels[LABEL.parentNamespace] ?? null;
  const parent = name === undefined ? null : { namespace, name };
  const there =
    parent === null
      ? "unknown"
      : views.object({ apiVersion: "networking.k8s.io/v1", kind: "Ingress", ...parent });
  return {
    to: null,
    live: live.state === "present" ? { state: "absent", namespace: "present" } : live,
    mayCreate: false,
    verdict: {
      rule: "later",
      code: "owner_makes_it",
      detail: { kind: "parent", parent, there, secret: old.name },
    },
    restart: () => ({ needed: "no", action: null, note: { reads: "none" } }),
    notes: [],
  };
}

/**
 * A Secret of a fixed name that its operator makes: the state of a ProxyGroup's pod (E), a
 * recorder's (G).
 */
export const ownedSite: SiteRule = (copy, context): Site => {
  const site = siteAt(copy, context);
  const { to, live } = site;
  if (context.as !== null) return refused(to, live, "place_not_for_shape", null);
  return {
    ...site,
    mayCreate: false,
    verdict:
      live.state === "absent"
        ? { rule: "later", code: "owner_makes_it", detail: { kind: "same_name" } }
        : null,
    restart: () => ({
      needed: "yes",
      action: { kind: "deletePod", namespace: to.namespace, pod: to.name },
      note: { reads: "pod_at_start" },
    }),
    notes: copy.shape === "recorder" ? [{ note: "recorder_unverified" }] : [],
  };
};
