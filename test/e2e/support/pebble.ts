/**
 * Starts Pebble, the ACME server that Let's Encrypt makes for tests: real certificates of a root of
 * its own.
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AcmeClient, createAcmeClient } from "./acme.ts";
import { freePort, startProgram, waitUntil } from "./process.ts";
import { createServerAuthority } from "./servercert.ts";
import { requireTool } from "./tools.ts";

export interface Pebble {
  readonly rootPem: string;
  readonly intermediatePem: string;
  readonly directoryUrl: string;
  /** PEM of the authority of its own server's certificate, for `NODE_EXTRA_CA_CERTS`. */
  readonly caFile: string;
  /**
   * Makes it answer this, whatever it is, when it is asked when to renew the first certificate of
   * `pem`.
   */
  setRenewalInfo(pem: string, answer: string): Promise<void>;
  /** Status by Pebble's own word: `Valid` or `Revoked`; null for a serial that it never issued. */
  status(serial: string): Promise<string | null>;
  /** A new account, or that of the key `accountPem`. */
  client(accountPem?: string): Promise<AcmeClient>;
  stop(): Promise<void>;
}

/** Starts it on free ports; validation always passes and takes no time. */
export async function startPebble(): Promise<Pebble> {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-pebble-"));
  const authority = await createServerAuthority();
  const pair = await authority.issue();
  writeFileSync(join(folder, "cert.pem"), pair.certPem);
  writeFileSync(join(folder, "key.pem"), pair.keyPem, { mode: 0o600 });
  const [port, management] = [await freePort(), await freePort()];
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: join(folder, "cert.pem"),
      privateKey: join(folder, "key.pem"),
      httpPort: 5002,
      tlsPort: 5001,
      keyAlgorithm: "ecdsa",
      profiles: { default: { description: "90 days", validityPeriod: 7_776_000 } },
    },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    PEBBLE_VA_ALWAYS_VALID: "1",
    PEBBLE_VA_NOSLEEP: "1",
  };
  const program = startProgram(requireTool("pebble"), ["-config", join(folder, "config.json")], {
    logFile: join(folder, "pebble.log"),
    folder,
    env,
  });
  const agent = new Agent({ ca: authority.caPem, keepAlive: true });
  writeFileSync(join(folder, "ca.pem"), authority.caPem);
  const send = (
    method: string,
    path: string,
    body?: string,
  ): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        `https://127.0.0.1:${management}${path}`,
        { method, agent, headers: { "user-agent": "certkeep-tests" }, timeout: 5_000 },
        (incoming) => {
          const parts: Buffer[] = [];
          incoming.on("data", (part: Buffer) => parts.push(part));
          incoming.on("error", reject);
          incoming.on("end", () =>
            resolve({
              status: incoming.statusCode ?? 0,
              text: Buffer.concat(parts).toString("utf8"),
            }),
          );
        },
      );
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  const get = (path: string): ReturnType<typeof send> => send("GET", path);
  await waitUntil("pebble", 20_000, async () => (await get("/roots/0")).status === 200);
  const clients: AcmeClient[] = [];
  return {
    rootPem: (await get("/roots/0")).text,
    intermediatePem: (await get("/intermediates/0")).text,
    directoryUrl: `https://127.0.0.1:${port}/dir`,
    caFile: join(folder, "ca.pem"),
    setRenewalInfo: async (pem, answer) => {
      const { status, text } = await send(
        "POST",
        "/set-renewal-info/",
        JSON.stringify({ Certificate: pem, ARIResponse: answer }),
      );
      if (status !== 200) throw new Error(`set-renewal-info: ${status} ${text}`);
    },
    status: async (serial) => {
      const answer = await get(`/cert-status-by-serial/${serial}`);
      return answer.status === 404 ? null : (JSON.parse(answer.text) as { Status: string }).Status;
    },
    client: async (accountPem) => {
      const client = await createAcmeClient(
        `https://127.0.0.1:${port}/dir`,
        authority.caPem,
        accountPem,
      );
      clients.push(client);
      return client;
    },
    stop: async () => {
      for (const client of clients) client.close();
      agent.destroy();
      await program.kill();
    },
  };
}
