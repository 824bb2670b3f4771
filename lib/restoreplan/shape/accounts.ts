/** The Secret of ACME accounts that Tailscale's operator shares among its nodes (F). */
import { ACCOUNTS_SECRET } from "../../secret/shapes.ts";
import { NO_RESTART, placeOf, refused, type Site, type SiteRule } from "./site.ts";

export const sharedAccountsSite: SiteRule = (copy, context): Site => {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  if (to.name !== ACCOUNTS_SECRET)
    return refused(
      to,
      live,
      "place_not_for_shape",
      `the operator looks for it under the name ${ACCOUNTS_SECRET}`,
    );
  return {
    to,
    live,
    mayCreate: true,
    verdict: null,
    restart: () => ({
      ...NO_RESTART,
      needed: "unknown",
      note: "whether one is needed is not known",
    }),
    notes: [],
  };
};
