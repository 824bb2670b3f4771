/** Which CA of a kubeconfig proved a connection, with servers that send what they like. */
import { createHash, X509Certificate } from "node:crypto";
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { describe, expect, test } from "vitest";
import type { Connection } from "../../../lib/adapters/kubernetes/connection.ts";
import { HttpClient } from "../../../lib/adapters/kubernetes/http.ts";
import { inClusterConnection } from "../../../lib/adapters/kubernetes/credential.ts";
import {
  answerJson,
  connectionTo,
  failureOf,
  folder,
  plainOptions,
  put,
  startStub,
} from "./support.ts";

const generate = () => crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
type Keys = Awaited<ReturnType<typeof generate>>;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

interface Made {
  readonly name: string;
  readonly keys: Keys;
  readonly pem: string;
  readonly sha256: string;
}

interface Wish {
  readonly name: string;
  /** Absent: it signs itself. */
  readonly issuer?: Made;
  readonly ca?: boolean;
  /** Those of another certificate. */
  readonly keys?: Keys;
}

let serial = 16;
async function make({ name, issuer, ca = true, keys: given }: Wish): Promise<Made> {
  const keys = given ?? (await generate());
  const certificate = await X509CertificateGenerator.create({
    serialNumber: (serial += 1).toString(16),
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(ca, undefined, true),
      ...(ca ? [new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true)] : []),
      new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }]),
    ],
  });
  const pem = `${certificate.toString("pem")}\n`;
  const sha256 = createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");
  return { name, keys, pem, sha256 };
}

async function serve(own: Made, ...sent: Made[]): Promise<string> {
  const key = PemConverter.encode(
    await crypto.subtle.exportKey("pkcs8", own.keys.privateKey),
    "PRIVATE KEY",
  );
  const cert = [own, ...sent].map(({ pem }) => pem).join("");
  const { server } = await startStub((_, response) => answerJson(response, 200, {}), { cert, key });
  return server;
}

/** A connection by a kubeconfig with this bundle, once it has been used. */
async function reached(server: string, ...bundle: Made[]): Promise<Connection> {
  const caPem = bundle.length === 0 ? null : bundle.map(({ pem }) => pem).join("");
  const connection = await connectionTo({ server, caPem });
  await ask(connection);
  return connection;
}

async function ask(connection: Connection): Promise<number> {
  const client = new HttpClient(connection, { attempts: 1 });
  try {
    return (await client.send({ method: "GET", path: "/", accept: "*/*" })).status;
  } finally {
    client.close();
  }
}

const [a, b] = [await make({ name: "CA a" }), await make({ name: "CA b" })];
const [ofA, ofB] = [
  await make({ name: "server", issuer: a, ca: false }),
  await make({ name: "server", issuer: b, ca: false }),
];

describe("the CA that proved a connection", () => {
  test("is the one of the kubeconfig", async () => {
    const { proof } = await reached(await serve(ofA), a);
    expect(proof.proven()).toMatchObject({ caSha256: a.sha256, bundleSha256: null });
  });

  test.each([
    ["first", [a, b]],
    ["last", [b, a]],
  ])("of a bundle of two is the one that signed, where it stands %s", async (_, bundle) => {
    const { proof } = await reached(await serve(ofA), ...bundle);
    expect(proof.proven().caSha256).toBe(a.sha256);
    expect(proof.proven().alsoProvenBy).not.toContain(b.sha256);
  });

  test(
    "is never one that a hostile bundle holds beside the server's own, whatever the server " +
      "sends along",
    async () => {
      const client = await make({ name: "CA b", issuer: a, ca: false, keys: b.keys });
      for (const sent of [[], [ofA], [ofA, a], [client, a], [a]])
        for (const bundle of [
          [a, b],
          [a, b, client],
        ]) {
          const { alsoProvenBy, caSha256 } = (
            await reached(await serve(ofB, ...sent), ...bundle)
          ).proof.proven();
          expect([caSha256, alsoProvenBy?.includes(a.sha256)]).toEqual([b.sha256, false]);
        }
    },
  );

  test("may be pinned by root or intermediate, whichever of them a kubeconfig holds", async () => {
    const middle = await make({ name: "CA middle", issuer: a });
    const own = await make({ name: "server", issuer: middle, ca: false });
    const server = await serve(own, middle);
    const root = (await reached(server, a)).proof.proven();
    expect(root.caSha256).toBe(a.sha256);
    expect(root.alsoProvenBy).toContain(middle.sha256);
    expect((await reached(server, middle)).proof.proven().caSha256).toBe(middle.sha256);
    const together = (await reached(server, a, middle)).proof.proven();
    expect([together.caSha256, ...(together.alsoProvenBy ?? [])]).toEqual(
      expect.arrayContaining([a.sha256, middle.sha256]),
    );
  });

  test("may be the server's own certificate", async () => {
    const own = await make({ name: "server", ca: false });
    expect((await reached(await serve(own), own)).proof.proven().caSha256).toBe(own.sha256);
  });

  test("that was renewed with the same key is proven by either certificate", async () => {
    const renewed = await make({ name: "CA a", keys: a.keys });
    const { caSha256, alsoProvenBy } = (await reached(await serve(ofA), a, renewed)).proof.proven();
    expect([caSha256, ...(alsoProvenBy ?? [])]).toEqual(
      expect.arrayContaining([a.sha256, renewed.sha256]),
    );
  });

  test(
    "is the same for every later connection: one that another CA of the bundle proves is " +
      "refused",
    async () => {
      const connection = await reached(await serve(ofA), a, b);
      const elsewhere = { ...connection, server: new URL(await serve(ofB)) };
      const failure = await failureOf(ask(elsewhere));
      expect(failure.code).toBe("cluster_tls");
      expect(failure.message).toContain("a different CA of the kubeconfig's bundle");
      expect(await ask({ ...connection, server: new URL(await serve(ofA)) })).toBe(200);
    },
  );

  test("is the same from inside the cluster", async () => {
    const server = new URL(await serve(ofA));
    const path = folder();
    put(`${path}/token`, "stub-token");
    put(`${path}/ca.crt`, a.pem + b.pem);
    const connection = await inClusterConnection({
      ...plainOptions,
      environment: {
        KUBERNETES_SERVICE_HOST: server.hostname,
        KUBERNETES_SERVICE_PORT: server.port,
      },
      serviceAccountFolder: path,
    });
    await ask(connection);
    expect(connection.proof.proven()).toMatchObject({ caSha256: a.sha256, host: "127.0.0.1" });
  });
});

test("without a CA in the kubeconfig the name is what counts, as the certificate is checked for it", async () => {
  const named = await connectionTo({
    server: "https://203.0.113.7:6443",
    caPem: null,
    cluster: { "tls-server-name": "prod.example.com" },
  });
  expect(named.proof.proven()).toEqual({ caSha256: null, host: "prod.example.com" });
  const plain = await connectionTo({ server: "https://[2001:db8::1]:6443", caPem: null });
  expect(plain.proof.proven()).toEqual({ caSha256: null, host: "2001:db8::1" });
});
