/**
 * A certificate that a ProxyGroup shares, in a Secret named as the domain (C, D). One made
 * beforehand is adopted: the operator's create-or-update changes labels only. It needs type
 * `kubernetes.io/tls` and its labels, and both fields in one request, since a pod reads the Secret
 * at any time.
 */
import { placeOf, refused, rolloutRestart, type Site, type SiteRule } from "./site.ts";

const GROUP_LABEL = "tailscale.com/proxy-group";

export const proxyGroupSite: SiteRule = (copy, context): Site => {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  if (to.name !== copy.record.header.secret)
    return refused(to, live, "place_not_for_shape", {
      kind: "named",
      by: "domain",
      name: copy.record.header.secret,
    });
  const group = copy.record.labels[GROUP_LABEL];
  const action = group === undefined ? null : rolloutRestart(to.namespace, "statefulset", group);
  return {
    to,
    live,
    mayCreate: true,
    verdict: null,
    restart: (_write, nothingHeld) => ({
      needed: "no",
      action,
      note: { reads: nothingHeld ? "group_next_access" : "group_within_a_day" },
    }),
    notes: [],
  };
};
