/**
 * The operator's own Secret (A): patched where it stands, else made with nothing but certificate, key and account
 * key, which the operator takes for a state to fill up when it starts. It reads the Secret only at its start.
 */
import { placeOf, refusedAsState, rolloutRestart, type Site, type SiteRule } from "./site.ts";

/** Name of the operator's Deployment (cmd/k8s-operator/deploy/chart/templates/deployment.yaml). */
const DEPLOYMENT = "operator";

export const operatorSite: SiteRule = (copy, context): Site => {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  const wrong = refusedAsState(to, live);
  if (wrong !== null) return wrong;
  const command = rolloutRestart(to.namespace, "deployment", DEPLOYMENT);
  return {
    to,
    live,
    mayCreate: true,
    verdict: null,
    restart: (action) =>
      action === "create"
        ? {
            needed: "unknown",
            command,
            note: "if the operator runs already: it reads the Secret at its start alone. None before its first start",
          }
        : { needed: "yes", command, note: "the operator reads the Secret at its start alone" },
    notes: [],
  };
};
