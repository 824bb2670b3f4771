/**
 * The state Secret of a sidecar (H), in any namespace under any name: patched where it stands, else made with nothing
 * but certificate, key and account key. Which workload uses it isn't written in it.
 */
import { placeOf, refusedAsState, type Site, type SiteRule } from "./site.ts";

export const sidecarSite: SiteRule = (copy, context): Site => {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  const wrong = refusedAsState(to, live);
  if (wrong !== null) return wrong;
  const note = `the workload whose TS_KUBE_SECRET is ${to.name}, which the Secret doesn't name`;
  return {
    to,
    live,
    mayCreate: true,
    verdict: null,
    restart: (action) => ({
      needed: action === "create" ? "unknown" : "yes",
      command: null,
      note:
        action === "create"
          ? `if it runs already: ${note}`
          : `restart ${note}; it reads the Secret at its start alone`,
    }),
    notes: [],
  };
};
