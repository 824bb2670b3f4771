/** The rule of each shape. */
import { ACCOUNTS_SECRET, type Shape } from "../../secret/shapes.ts";
import { certificateName, certManagerNotes } from "../metadata.ts";
import {
  refused,
  refusedAsState,
  rolloutRestart,
  type Site,
  siteAt,
  type SiteRule,
} from "./site.ts";
import { ownedSite, standaloneSite } from "./standalone.ts";

/**
 * A generic TLS Secret: made with type, labels and the annotations by which cert-manager adopts it,
 * or patched. The plan says what cert-manager will do all the same.
 */
const tlsSite: SiteRule = (copy, context): Site => {
  const { views, as, nowMs, newerSeen } = context;
  const site = siteAt(copy, context);
  const { to, live } = site;
  const annotations =
    live.state === "present"
      ? { ...copy.record.annotations, ...live.secret.annotations }
      : copy.record.annotations;
  const name = certificateName(annotations);
  const certificate =
    name === null
      ? "absent"
      : views.object({
          apiVersion: "cert-manager.io/v1",
          kind: "Certificate",
          namespace: to.namespace,
          name,
        });
  return {
    ...site,
    restart: () => ({ needed: "unknown", action: null, note: { reads: "by_program" } }),
    notes: certManagerNotes(copy, annotations, {
      nowMs,
      newerSeen,
      certificate,
      secretAbsent: live.state === "absent",
      otherPlace: as !== null,
    }),
  };
};

/**
 * The state Secret of a sidecar (H), in any namespace under any name: patched where it stands, else
 * made with nothing but certificate, key and account key. Which workload uses it isn't written in
 * it.
 */
const sidecarSite: SiteRule = (copy, context): Site => {
  const site = siteAt(copy, context);
  const secret = site.to.name;
  return (
    refusedAsState(site) ?? {
      ...site,
      restart: (write) =>
        write === "create"
          ? { needed: "unknown", action: null, note: { reads: "sidecar_if_running", secret } }
          : { needed: "yes", action: null, note: { reads: "sidecar_at_start", secret } },
    }
  );
};

const GROUP_LABEL = "tailscale.com/proxy-group";

/**
 * A certificate that a ProxyGroup shares, in a Secret named as the domain (C, D). One made
 * beforehand is adopted: the operator's create-or-update changes labels only. It needs type
 * `kubernetes.io/tls` and its labels, and both fields in one request, since a pod reads the Secret
 * at any time.
 */
const proxyGroupSite: SiteRule = (copy, context): Site => {
  const site = siteAt(copy, context);
  const { to, live } = site;
  const { secret: name } = copy.record.header;
  if (to.name !== name)
    return refused(to, live, "place_not_for_shape", { kind: "named", by: "domain", name });
  const group = copy.record.labels[GROUP_LABEL];
  const action = group === undefined ? null : rolloutRestart(to.namespace, "statefulset", group);
  return {
    ...site,
    restart: (_write, nothingHeld) => ({
      needed: "no",
      action,
      note: { reads: nothingHeld ? "group_next_access" : "group_within_a_day" },
    }),
  };
};

/** Name of the operator's Deployment (cmd/k8s-operator/deploy/chart/templates/deployment.yaml). */
const DEPLOYMENT = "operator";

/**
 * The operator's own Secret (A): patched where it stands, else made with nothing but certificate,
 * key and account key, which the operator takes for a state to fill up when it starts. It reads the
 * Secret only at its start.
 */
const operatorSite: SiteRule = (copy, context): Site => {
  const site = siteAt(copy, context);
  const action = rolloutRestart(site.to.namespace, "deployment", DEPLOYMENT);
  return (
    refusedAsState(site) ?? {
      ...site,
      restart: (write) =>
        write === "create"
          ? { needed: "unknown", action, note: { reads: "operator_if_running" } }
          : { needed: "yes", action, note: { reads: "operator_at_start" } },
    }
  );
};

/**
 * The Secret of ACME accounts that Tailscale's operator shares among its nodes (F).
 */
const sharedAccountsSite: SiteRule = (copy, context): Site => {
  const site = siteAt(copy, context);
  const name = ACCOUNTS_SECRET;
  return site.to.name === name
    ? {
        ...site,
        restart: () => ({ needed: "unknown", action: null, note: { reads: "not_known" } }),
      }
    : refused(site.to, site.live, "place_not_for_shape", { kind: "named", by: "operator", name });
};

export const SITES: Readonly<Record<Shape, SiteRule>> = {
  operator: operatorSite,
  standalone: standaloneSite,
  "ha-ingress": proxyGroupSite,
  "apiserver-proxygroup": proxyGroupSite,
  "proxygroup-state": ownedSite,
  "acme-accounts": sharedAccountsSite,
  recorder: ownedSite,
  sidecar: sidecarSite,
  tls: tlsSite,
};
