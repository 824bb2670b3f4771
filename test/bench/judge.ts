/**
 * The judge against bare verification: many P-256 leaves under one issuer, judged whole (PEM, DER,
 * key, name, chain, anchor, signature), beside nothing but `crypto.verify` of the same signatures
 * on all cores, both in this run. Prints machine and Node version, the two rates and their ratio.
 *
 *   node test/bench/judge.ts [leaves, default 10000] [P-256|P-384, default P-384]
 */

import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { availableParallelism, cpus } from "node:os";
import { anchorsFromPem } from "../../lib/certificate/anchors.ts";
import { judge, type Pair, verdictAt } from "../../lib/certificate/judge.ts";
import { parseCertificate } from "../../lib/certificate/parse.ts";
import { parseMs } from "../../lib/certificate/time.ts";
import { Verifier } from "../../lib/certificate/verifier.ts";
import { putRow } from "./support/row.ts";

const COUNT = Number(process.argv[2] ?? 10_000);
const CURVE = process.argv[3] ?? "P-384";
const HASH = CURVE === "P-384" ? "sha384" : "sha256";
const IN_FLIGHT = 64;

function tlv(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length = body.length;
  const head =
    length < 128
      ? [tag, length]
      : length < 256
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), body]);
}
const hex = (text: string): Buffer => Buffer.from(text, "hex");
const seq = (...parts: Uint8Array[]): Buffer => tlv(0x30, ...parts);
const name = (text: string): Buffer =>
  seq(tlv(0x31, seq(hex("0603550403"), tlv(0x0c, Buffer.from(text)))));
const extension = (oid: string, value: Uint8Array): Buffer => seq(hex(oid), tlv(4, value));
const ALGORITHM = seq(hex(CURVE === "P-384" ? "06082a8648ce3d040303" : "06082a8648ce3d040302"));
const spki = (key: KeyObject): Buffer => key.export({ format: "der", type: "spki" });

interface Ca {
  subject: Buffer;
  publicKey: KeyObject;
  privateKey: KeyObject;
}

function createCa(title: string): Ca {
  return { subject: name(title), ...generateKeyPairSync("ec", { namedCurve: CURVE }) };
}

function issue(
  by: Ca,
  serial: number,
  subject: Buffer,
  publicKey: KeyObject,
  extensions: Buffer[],
): Buffer {
  const number = Buffer.alloc(5);
  number.writeUInt32BE(serial, 1);
  number[0] = 1;
  const validity = seq(
    tlv(0x17, Buffer.from("260101000000Z")),
    tlv(0x17, Buffer.from("360101000000Z")),
  );
  const id = createHash("sha1").update(spki(by.publicKey)).digest();
  const all = [...extensions, extension("0603551d23", seq(tlv(0x80, id)))];
  const tbs = seq(
    hex("a003020102"),
    tlv(2, number),
    ALGORITHM,
    by.subject,
    validity,
    subject,
    spki(publicKey),
    tlv(0xa3, seq(...all)),
  );
  return seq(tbs, ALGORITHM, tlv(3, hex("00"), sign(HASH, tbs, by.privateKey)));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

interface Took {
  /** Seconds by the clock. */
  wall: number;
  /** Seconds of processor time, all threads together: what counts where the machine is shared. */
  cpu: number;
}

/** Runs `work` for 0 to COUNT - 1, IN_FLIGHT at a time. */
async function timed(work: (i: number) => Promise<unknown>): Promise<Took> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < COUNT) await work(next++);
  };
  const start = performance.now();
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
}

const root = createCa("Bench Root");
const intermediate = createCa("Bench Intermediate");
const caExtensions = [extension("0603551d13", seq(hex("0101ff")))];
const rootPem = pem("CERTIFICATE", issue(root, 1, root.subject, root.publicKey, caExtensions));
const interPem = pem(
  "CERTIFICATE",
  issue(root, 2, intermediate.subject, intermediate.publicKey, caExtensions),
);

const pairs: Pair[] = [];
const bare: { tbs: Buffer; signature: Uint8Array }[] = [];
for (let i = 0; i < COUNT; i++) {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const host = Buffer.from(`n${i}.tail1234.ts.net`);
  const der = issue(intermediate, i, name(host.toString()), keys.publicKey, [
    extension("0603551d11", seq(tlv(0x82, host))),
    extension("0603551d25", seq(hex("06082b06010505070301"))),
    extension("0603551d13", seq()),
    extension("0603551d0f", hex("03020780")),
  ]);
  const parsed = parseCertificate(der);
  if (!parsed.ok) throw new Error(parsed.detail);
  bare.push({ tbs: parsed.certificate.rawTbs, signature: parsed.certificate.signature });
  pairs.push({
    certificate: Buffer.from(pem("CERTIFICATE", der) + interPem),
    key: Buffer.from(
      pem("EC PRIVATE KEY", keys.privateKey.export({ format: "der", type: "sec1" }) as Buffer),
    ),
  });
}

const issuerKey = createPublicKey(intermediate.publicKey.export({ format: "pem", type: "spki" }));
const bareOnce = (i: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const { tbs, signature } = bare[i] as { tbs: Buffer; signature: Uint8Array };
    verify(HASH, tbs, issuerKey, signature, (error, ok) =>
      error === null ? resolve(ok) : reject(error),
    );
  });

const anchors = anchorsFromPem(rootPem);
const at = parseMs("2026-06-01T00:00:00Z");
async function judgeAll(
  known: Iterable<string>,
): Promise<Took & { verified: ReadonlySet<string> }> {
  const verifier = new Verifier(known);
  const took = await timed(async (i) => {
    const judgement = await judge(pairs[i] as Pair, {
      dnsName: `n${i}.tail1234.ts.net`,
      anchors,
      verifier,
    });
    if (!verdictAt(judgement, at).valid)
      throw new Error(`leaf ${i}: ${judgement.reasons.join(", ")}`);
  });
  return { ...took, verified: verifier.verified };
}

const rate = (seconds: number): string =>
  `${Math.round(COUNT / seconds).toLocaleString("en")}/s`.padStart(10);
console.log(
  `${cpus()[0]?.model ?? "unknown CPU"}, ${availableParallelism()} cores, Node ${process.version}`,
);
console.log(`${COUNT} P-256 leaves under a ${CURVE} issuer`);
// Three times each, in turn, and the best of each counts: the machine may be busy with something
// else.
const bareTook: Took = { wall: Infinity, cpu: Infinity };
const judgeTook: Took = { wall: Infinity, cpu: Infinity };
const knownTook: Took = { wall: Infinity, cpu: Infinity };
const keep = (best: Took, took: Took): void => {
  best.wall = Math.min(best.wall, took.wall);
  best.cpu = Math.min(best.cpu, took.cpu);
};
for (let round = 0; round < 3; round++) {
  keep(bareTook, await timed(bareOnce));
  const run = await judgeAll([]);
  keep(judgeTook, run);
  keep(knownTook, await judgeAll(run.verified));
}
const ms = (seconds: number): string => `${((seconds * 1000) / COUNT).toFixed(3)} ms`;
const line = (what: string, took: Took): string =>
  `${what.padEnd(30)} ${rate(took.wall)}   ${ms(took.cpu)} of processor each   ratio ` +
  `${(bareTook.wall / took.wall).toFixed(2)} by the clock, ` +
  `${(bareTook.cpu / took.cpu).toFixed(2)} by processor time`;
console.log(line("bare crypto.verify, all cores", bareTook));
console.log(line("judge", judgeTook));
console.log(line("judge, leaves known", knownTook));
const ratio = bareTook.wall / judgeTook.wall;
putRow({
  what: `judge, ${CURVE} issuer, all cores`,
  hold: "at least 0.8 of bare verification",
  measured:
    `${ratio.toFixed(2)} by the clock, ${(bareTook.cpu / judgeTook.cpu).toFixed(2)} by ` +
    `processor time; ${Math.round(COUNT / judgeTook.wall)}/s`,
  holds: ratio >= 0.8,
});
