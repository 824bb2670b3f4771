/**
 * A generic TLS Secret: made with type, labels and the annotations by which cert-manager adopts it,
 * or patched. The plan says what cert-manager will do all the same.
 */
import { certificateName, certManagerNotes } from "../certmanager.ts";
import { placeOf, type Site, type SiteRule } from "./site.ts";

export const tlsSite: SiteRule = (copy, context): Site => {
  const { views, as, nowMs, newerSeen } = context;
  const to = placeOf(copy, context);
  const live = views.at(to.namespace, to.name);
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
    to,
    live,
    mayCreate: true,
    verdict: null,
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
