/** The Secret of ACME accounts that Tailscale's operator shares among its nodes (F). */
import { ACCOUNTS_SECRET } from "../../secret/shapes.ts";
import { placeOf, refused, type Site, type SiteRule } from "./site.ts";

export const sharedAccountsSite: SiteRule = (copy, context): Site => {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  if (to.name !== ACCOUNTS_SECRET)
    return refused(to, live, "place_not_for_shape", {
      kind: "named",
      by: "operator",
      name: ACCOUNTS_SECRET,
    });
  return {
    to,
    live,
    mayCreate: true,
    verdict: null,
    restart: () => ({ needed: "unknown", action: null, note: { reads: "not_known" } }),
    notes: [],
  };
};
