/** The rule of each shape. */
import type { Shape } from "../../secret/shapes.ts";
import { sharedAccountsSite } from "./accounts.ts";
import { operatorSite } from "./operator.ts";
import { proxyGroupSite } from "./proxygroup.ts";
import { sidecarSite } from "./sidecar.ts";
import type { SiteRule } from "./site.ts";
import { ownedSite, standaloneSite } from "./standalone.ts";
import { tlsSite } from "./tls.ts";

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
