/**
 * ACME account keys: which account a key stands for, and where the key of a certificate's account
 * lies. No key material comes out of here.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { parsePemBlocks } from "../certificate/pem.ts";
import { ACCOUNTS_SECRET, LABEL, own, pairForm, type Shape } from "./shapes.ts";

/**
 * Names of the Secrets, in the namespace of a certificate's own, that can hold the ACME account key
 * which it was issued under; the first that holds one decides. A node keeps its key beside its
 * certificates; the certificates of a ProxyGroup are issued by its first pod; the operator may
 * share accounts among all. Empty: Tailscale didn't issue it.
 */
export function accountSecrets(
  shape: Shape,
  name: string,
  labels: Readonly<Record<string, unknown>>,
): readonly string[] {
  if (shape === "tls") return [];
  if (pairForm(shape) === "host") return [name, ACCOUNTS_SECRET];
  const group = own(labels, LABEL.group);
  return group === null || group === "" ? [] : [`${group}-0`, ACCOUNTS_SECRET];
}

/**
 * RFC 7638 thumbprint (SHA-256, base64url) of the public half of an account key, by which an ACME
 * server knows the account; `null` where it can't be read. The first block counts, as for Tailscale
 * (feature/acme, acmeKey and parsePrivateKey).
 */
export function accountThumbprint(pem: Uint8Array): string | null {
  const block = parsePemBlocks(pem)[0];
  if (block === undefined || !block.type.includes("PRIVATE")) return null;
  const key = privateKey(Buffer.from(block.bytes));
  if (key === null) return null;
  try {
    const jwk = createPublicKey(key).export({ format: "jwk" });
    // RFC 7638 §3.2: the required members in lexicographic order, without white space.
    if (jwk.kty === "EC")
      return digest({ crv: jwk["crv"], kty: jwk.kty, x: jwk["x"], y: jwk["y"] });
    if (jwk.kty === "RSA") return digest({ e: jwk["e"], kty: jwk.kty, n: jwk["n"] });
    return null;
  } catch {
    return null;
  }
}

function privateKey(der: Buffer): KeyObject | null {
  for (const type of ["pkcs1", "pkcs8", "sec1"] as const) {
    try {
      return createPrivateKey({ key: der, format: "der", type });
    } catch {
      // The next form.
    }
  }
  return null;
}

function digest(members: Readonly<Record<string, unknown>>): string {
  return createHash("sha256").update(JSON.stringify(members)).digest("base64url");
}
