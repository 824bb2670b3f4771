import { DOMAIN } from "./causeworld.ts";

/** The lines of a proxy's log, with the time that each begins with. */
export const STAMP = "2026/11/23 14:34:50";
export const cert = (text: string, domain = DOMAIN): string =>
  `${STAMP} cert("${domain}"): ${text}`;
export const failed = (text: string): string => cert(`getCertPEM: ${text}`);
export const renewal = (text: string): string => cert(`async renewal failed: getCertPem: ${text}`);
export const write = (text: string): string =>
  failed(`error writing TLS cert and key to Secret: error patching Secret ${DOMAIN}: ${text}`);
export const HANDSHAKE = `${STAMP} http: TLS handshake error from 100.64.1.2:50001: `;
