/**
 * The state Secret of a sidecar (H), in any namespace under any name: patched where it stands, else
 * made with nothing but certificate, key and account key. Which workload uses it isn't written in
 * it.
 */
import { placeOf, refusedAsState, type Site, type SiteRule } from "./site.ts";

export const sidecarSite: SiteRule = (copy, context): Site => {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  const wrong = refusedAsState(to, live);
  if (wrong !== null) return wrong;
  return {
    to,
    live,
    mayCreate: true,
    verdict: null,
    restart: (write) =>
      write === "create"
        ? {
            needed: "unknown",
            action: null,
            note: { reads: "sidecar_if_running", secret: to.name },
          }
        : { needed: "yes", action: null, note: { reads: "sidecar_at_start", secret: to.name } },
    notes: [],
  };
};
