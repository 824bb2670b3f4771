/**
 * A client of ACME (RFC 8555), no larger than the tests need: an account, and certificates one
 * after the other. Challenges are answered without anything behind them: the server of the tests
 * takes that.
 */
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  X509Certificate,
} from "node:crypto";
import { Agent, request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { parseChain } from "../../../lib/certificate/judge.ts";
import { renewalId } from "../../../lib/certificate/renewalid.ts";
import { bitString, explicit, integer, oid, sequence, set } from "../../support/asn1.ts";
import { createKey, extensionDer, keyPemOf, nameDer, sanExtension } from "../../support/x509.ts";

/** A certificate as its server gave it. */
export interface AcmeCertificate {
  /** Leaf and chain. */
  readonly certificatePem: string;
  readonly keyPem: string;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  readonly notBeforeMs: number;
}

export interface AcmeClient {
  /** PEM of the account's key, as Tailscale stores it. */
  readonly accountPem: string;
  /** `replaces`: the certificate that this one renews (RFC 9773 §5), in PEM. */
  issue(names: readonly string[], replaces?: string): Promise<AcmeCertificate>;
  close(): void;
}

interface Answer {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
}

interface Order {
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
}

const TRIES = 100;
const PAUSE_MS = 50;

const base64url = (value: string | Uint8Array): string => Buffer.from(value).toString("base64url");

/** A PKCS#10 request (RFC 2986 §4) for `names`, signed by `key`. */
function csrDer(names: readonly string[], key: ReturnType<typeof createKey>): Buffer {
  // The attribute extensionRequest (RFC 2985 §5.4.2).
  const attribute = sequence(
    oid("1.2.840.113549.1.9.14"),
    set(sequence(extensionDer(sanExtension(names)))),
  );
  const info = sequence(integer(0), nameDer([]), key.spki, explicit(0, attribute));
  return sequence(
    info,
    sequence(oid("1.2.840.10045.4.3.2")),
    bitString(sign("sha256", info, key.privateKey)),
  );
}

/** Its identifier for renewals (RFC 9773 §4.1). */
function renewalIdOf(pem: string): string {
  const keyIdentifier = parseChain(Buffer.from(pem)).leaf?.akid.toString("hex") ?? "";
  const id = renewalId(keyIdentifier, new X509Certificate(pem).serialNumber.toLowerCase());
  if (id === null) throw new Error("a certificate without an authority key identifier");
  return id;
}

/**
 * Registers an account at the server whose directory this is, or finds that of the key
 * `accountPem`.
 */
export async function createAcmeClient(
  directoryUrl: string,
  caPem: string,
  accountPem?: string,
): Promise<AcmeClient> {
  const agent = new Agent({ ca: caPem, keepAlive: true, maxSockets: 4 });
  let nonce: string | null = null;

  const send = (method: string, url: string, body: string | null): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = {
        "user-agent": "certkeep-tests",
        ...(body === null
          ? {}
          : { "content-type": "application/jose+json", "content-length": Buffer.byteLength(body) }),
      };
      const outgoing = request(url, { method, agent, headers, timeout: 10_000 }, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const fresh = incoming.headers["replay-nonce"];
          if (typeof fresh === "string") nonce = fresh;
          resolve({
            status: incoming.statusCode ?? 0,
            location: incoming.headers.location ?? null,
            text: Buffer.concat(parts).toString("utf8"),
          });
        });
      });
      outgoing.on("error", reject);
      outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${url}: no answer`)));
      outgoing.end(body ?? undefined);
    });

  const found = await send("GET", directoryUrl, null);
  if (found.status !== 200) throw new Error(`GET ${directoryUrl}: ${found.status} ${found.text}`);
  const directory = JSON.parse(found.text) as Record<
    "newNonce" | "newAccount" | "newOrder",
    string
  >;
  const account: KeyObject =
    accountPem === undefined
      ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
      : createPrivateKey(accountPem);
  const { crv, kty, x, y } = createPrivateKey(
    account.export({ type: "pkcs8", format: "pem" }),
  ).export({ format: "jwk" });
  let kid: string | null = null;

  /** A signed request (RFC 8555 §6.2); `payload` null is POST-as-GET. */
  const post = async (url: string, payload: object | null): Promise<Answer> => {
    for (let attempt = 0; ; attempt += 1) {
      if (nonce === null) await send("HEAD", directory.newNonce, null);
      const own = nonce;
      nonce = null;
      const header = base64url(
        JSON.stringify({
          alg: "ES256",
          nonce: own,
          url,
          ...(kid === null ? { jwk: { crv, kty, x, y } } : { kid }),
        }),
      );
      const text = payload === null ? "" : base64url(JSON.stringify(payload));
      const signature = sign("sha256", Buffer.from(`${header}.${text}`), {
        key: account,
        dsaEncoding: "ieee-p1363",
      });
      const answer = await send(
        "POST",
        url,
        JSON.stringify({ protected: header, payload: text, signature: base64url(signature) }),
      );
      if (answer.status < 400) return answer;
      if (attempt >= 5 || !answer.text.includes("badNonce"))
        throw new Error(`POST ${url}: ${answer.status} ${answer.text}`);
    }
  };

  const until = async <T extends { readonly status: string }>(
    url: string,
    wanted: string,
  ): Promise<T> => {
    for (let i = 0; i < TRIES; i += 1) {
      const got = JSON.parse((await post(url, null)).text) as T;
      if (got.status === wanted) return got;
      if (got.status === "invalid") throw new Error(`${url} is invalid`);
      await sleep(PAUSE_MS);
    }
    throw new Error(`${url} did not become ${wanted}`);
  };

  kid = (await post(directory.newAccount, { termsOfServiceAgreed: true })).location;
  return {
    accountPem: account.export({ type: "sec1", format: "pem" }).toString(),
    issue: async (names, replaces) => {
      const ordered = await post(directory.newOrder, {
        identifiers: names.map((value) => ({ type: "dns", value })),
        ...(replaces === undefined ? {} : { replaces: renewalIdOf(replaces) }),
      });
      const order = JSON.parse(ordered.text) as Order;
      const orderUrl = ordered.location ?? "";
      for (const url of order.authorizations) {
        const authorization = JSON.parse((await post(url, null)).text) as {
          status: string;
          challenges: { url: string; type: string }[];
        };
        if (authorization.status === "valid") continue;
        const challenge =
          authorization.challenges.find(({ type }) => type === "dns-01") ??
          authorization.challenges[0];
        if (challenge === undefined) throw new Error(`${url} offers no challenge`);
        await post(challenge.url, {});
        await until(url, "valid");
      }
      await until<Order>(orderUrl, "ready");
      const key = createKey("P-256");
      await post(order.finalize, { csr: base64url(csrDer(names, key)) });
      const done = await until<Order>(orderUrl, "valid");
      const certificatePem = (await post(done.certificate ?? "", null)).text;
      const leaf = new X509Certificate(certificatePem);
      return {
        certificatePem,
        keyPem: keyPemOf(key),
        serial: leaf.serialNumber.toLowerCase().replace(/^0+/, ""),
        notBeforeMs: Date.parse(leaf.validFrom),
      };
    },
    close: () => agent.destroy(),
  };
}
