/**
 * Hosts that an issuer's revocation lists are fetched from, as data: a certificate's own extension
 * says the address, and only what belongs to the issuer is asked. `*.` stands for one label.
 */
const HOSTS: Readonly<Record<string, readonly string[]>> = {
  // As its leaves have it: http://ye1.c.lencr.org/34.crl, read 2026-08-21.
  letsencrypt: ["*.c.lencr.org"],
  "letsencrypt-staging": ["*.c.lencr.org"],
};

/** Empty for an issuer that isn't asked. */
export function revocationHosts(issuer: string): readonly string[] {
  return Object.hasOwn(HOSTS, issuer) ? (HOSTS[issuer] ?? []) : [];
}

/** Whether `host` is one of `hosts`. */
export function isHostOf(host: string, hosts: readonly string[]): boolean {
  const lower = host.toLowerCase();
  return hosts.some((pattern) =>
    pattern.startsWith("*.")
      ? /^[a-z0-9-]+$/.test(lower.slice(0, -pattern.length + 1)) && lower.endsWith(pattern.slice(1))
      : lower === pattern,
  );
}
