/**
 * What the least client would have to do, to compare with: pages through a list and parses them, or
 * verifies signatures on all cores, and nothing else. Tells the seconds of that alone, by the clock
 * and by processor time, without the start of its process.
 *
 *   node bare.ts list|table SERVER TOKEN CA-FILE      pages of 500
 *   node bare.ts verify FILE                          signatures as certificates.ts writes them
 */
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { Signatures } from "./certificates.ts";

const FORMS = {
  list: ["application/json", ""],
  table: ["application/json;as=Table;g=meta.k8s.io;v=v1", "&includeObject=Metadata"],
} as const;
/** As many as keep all cores busy. */
const IN_FLIGHT = 64;

async function list(
  form: keyof typeof FORMS,
  server: string,
  token: string,
  caFile: string,
): Promise<number> {
  const agent = new Agent({ ca: readFileSync(caFile), keepAlive: true });
  const [accept, extra] = FORMS[form];
  const get = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      request(
        new URL(path, server),
        { agent, headers: { accept, authorization: `Bearer ${token}`, "user-agent": "bare" } },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on("data", (part: Buffer) => parts.push(part));
          answer.once("error", reject);
          answer.once("end", () => resolve(Buffer.concat(parts).toString("utf8")));
        },
      )
        .once("error", reject)
        .end();
    });
  let next: string | undefined = "";
  let items = 0;
  do {
    const page = JSON.parse(
      await get(`/api/v1/secrets?limit=500${extra}${next === "" ? "" : `&continue=${next}`}`),
    ) as {
      metadata: { continue?: string };
      items?: unknown[];
      rows?: unknown[];
    };
    items += (page.items ?? page.rows ?? []).length;
    next = page.metadata.continue;
  } while (next !== undefined && next !== "");
  agent.destroy();
  return items;
}

async function verifyAll({ hash, spki, signed }: Signatures): Promise<number> {
  const key = createPublicKey({ key: Buffer.from(spki, "base64"), format: "der", type: "spki" });
  const all = signed.map(
    ([tbs, signature]) => [Buffer.from(tbs, "base64"), Buffer.from(signature, "base64")] as const,
  );
  let good = 0;
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let one = all[next++]; one !== undefined; one = all[next++]) {
      const [tbs, signature] = one;
      const ok = await new Promise<boolean>((resolve, reject) => {
        verify(hash, tbs, key, signature, (error, answer) =>
          error === null ? resolve(answer) : reject(error),
        );
      });
      if (ok) good += 1;
    }
  };
  begin = performance.now();
  before = process.cpuUsage();
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return good;
}

const [mode = "", ...args] = process.argv.slice(2);
let begin = performance.now();
let before = process.cpuUsage();
let count: number;
if (mode === "verify")
  count = await verifyAll(JSON.parse(readFileSync(args[0] ?? "", "utf8")) as Signatures);
else if (mode === "list" || mode === "table")
  count = await list(mode, args[0] ?? "", args[1] ?? "", args[2] ?? "");
else throw new Error(`expected list, table or verify, found ${mode}`);
const took = (performance.now() - begin) / 1000;
const { user, system } = process.cpuUsage(before);
process.stdout.write(
  `${JSON.stringify({ seconds: took, cpuSeconds: (user + system) / 1e6, count })}\n`,
);
