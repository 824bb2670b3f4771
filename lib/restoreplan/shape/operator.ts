/**
 * The operator's own Secret (A): patched where it stands, else made with nothing but certificate,
 * key and account key, which the operator takes for a state to fill up when it starts. It reads the
 * Secret only at its start.
 */
import { placeOf, refusedAsState, rolloutRestart, type Site, type SiteRule } from "./site.ts";

/** Name of the operator's Deployment (cmd/k8s-operator/deploy/chart/templates/deployment.yaml). */
const DEPLOYMENT = "operator";

export const operatorSite: SiteRule = (copy, context): Site => {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  const wrong = refusedAsState(to, live);
  if (wrong !== null) return wrong;
  const action = rolloutRestart(to.namespace, "deployment", DEPLOYMENT);
  return {
    to,
    live,
    mayCreate: true,
    verdict: null,
    restart: (write) =>
      write === "create"
        ? { needed: "unknown", action, note: { reads: "operator_if_running" } }
        : { needed: "yes", action, note: { reads: "operator_at_start" } },
    notes: [],
  };
};
