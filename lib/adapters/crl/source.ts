/**
 * Fetches an issuer's revocation list over HTTP, as the certificates name it: the list is signed,
 * so the transport need not be. Refused are hosts that aren't the issuer's, addresses of private
 * and local networks, redirects, and answers that are too large or too slow. A host that failed
 * isn't asked again in the same run.
 */
import { lookup as dnsLookup } from "node:dns/promises";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import type { RevocationSource } from "../../ports/outside.ts";
import { isHostOf } from "../../restoreplan/crl.ts";
import { readBounded } from "../web.ts";
import { request } from "../proxy.ts";

interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

export interface CrlOptions {
  /** Until the whole list is there; default 5,000. */
  readonly timeoutMs?: number;
  /** Default 16 MiB. */
  readonly maxBytes?: number;
  /** Default: the system's. */
  readonly resolve?: (host: string) => Promise<readonly Address[]>;
  /** Only for tests: addresses that are connected to although they are private. */
  readonly allow?: (address: string) => boolean;
  readonly signal?: AbortSignal;
}

const INTERRUPTED = "it was interrupted";

type Fetched = Awaited<ReturnType<RevocationSource["fetch"]>>;

/** Networks that aren't the Internet (IANA special-purpose registries). */
const PRIVATE = new BlockList();
for (const [net, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const) {
  PRIVATE.addSubnet(net, bits, "ipv4");
}
// Of IPv6 only what is given out as global unicast counts, less tunnels and documentation.
const GLOBAL6 = new BlockList();
GLOBAL6.addSubnet("2000::", 3, "ipv6");
for (const [net, bits] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const)
  PRIVATE.addSubnet(net, bits, "ipv6");

/** Whether an address is one of the public Internet. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !PRIVATE.check(address, "ipv4");
  return family === 6 && GLOBAL6.check(address, "ipv6") && !PRIVATE.check(address, "ipv6");
}

async function systemResolve(host: string): Promise<readonly Address[]> {
  const addresses = await dnsLookup(host, { all: true });
  return addresses.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }));
}

/** What a resolver that doesn't answer is waited for. */
function over(ends: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(new Error("over"));
    if (ends.aborted) stop();
    else ends.addEventListener("abort", stop, { once: true });
  });
}

interface Bounds {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

async function get(
  url: URL,
  { address, family }: Address,
  { timeoutMs, maxBytes }: Bounds,
  signal: AbortSignal,
): Promise<Fetched> {
  const failure = (why: string): Fetched => ({ ok: false, why });
  const timeout = AbortSignal.timeout(timeoutMs);
  let begun = false;
  const outgoing = request({
    host: address,
    family,
    port: url.port === "" ? 80 : Number(url.port),
    path: url.pathname,
    method: "GET",
    headers: { host: url.host, accept: "application/pkix-crl", "user-agent": "certkeep" },
    agent: false,
    signal: AbortSignal.any([signal, timeout]),
  });
  try {
    outgoing.end();
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    begun = true;
    if (answer.statusCode !== 200)
      return failure(`the issuer's server answered with status ${answer.statusCode ?? 0}`);
    const { bytes, cut } = await readBounded(answer as AsyncIterable<Buffer>, maxBytes);
    return cut
      ? failure(`the issuer's list is larger than ${maxBytes} bytes`)
      : { ok: true, der: bytes };
  } catch {
    if (signal.aborted) return failure(INTERRUPTED);
    if (timeout.aborted)
      return failure(`the issuer's list wasn't there within ${timeoutMs / 1000} s`);
    return failure(
      begun ? "the issuer's list was cut off" : "the issuer's list could not be fetched",
    );
  } finally {
    outgoing.on("error", () => {}).destroy();
  }
}

export function createRevocationSource(options: CrlOptions = {}): RevocationSource {
  const timeoutMs = options.timeoutMs ?? 5_000;
  const maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
  const resolve = options.resolve ?? systemResolve;
  const allow = options.allow ?? isPublic;
  const failed = new Map<string, string>();

  return {
    fetch: async (text, hosts, signal) => {
      const url = URL.canParse(text) ? new URL(text) : null;
      if (
        url === null ||
        url.protocol !== "http:" ||
        url.username !== "" ||
        url.search !== "" ||
        (url.port !== "" && options.allow === undefined)
      )
        return { ok: false, why: "the certificate names no address that is asked" };
      if (!isHostOf(url.hostname, hosts))
        return { ok: false, why: "the certificate names an address that isn't its issuer's" };
      const before = failed.get(url.hostname);
      if (before !== undefined) return { ok: false, why: before };
      let answer: Fetched;
      const ends = AbortSignal.any([options.signal, signal].filter((one) => one !== undefined));
      try {
        const addresses = await Promise.race([
          resolve(url.hostname),
          over(AbortSignal.any([ends, AbortSignal.timeout(timeoutMs)])),
        ]);
        const address = addresses.find((one) => allow(one.address));
        answer =
          address === undefined || !addresses.every((one) => allow(one.address))
            ? { ok: false, why: "the issuer's host has no public address here" }
            : await get(url, address, { timeoutMs, maxBytes }, ends);
      } catch {
        answer = {
          ok: false,
          why: ends.aborted ? INTERRUPTED : "the issuer's host isn't known to DNS here",
        };
      }
      if (!answer.ok && !ends.aborted) failed.set(url.hostname, answer.why);
      return answer;
    },
  };
}
