import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, runIn } from "../support/cli.ts";
import { parseMs } from "../../lib/certificate/time.ts";
import { createAuthority } from "../support/pki.ts";

const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const AT = ["--at", "2026-11-01T00:00:00Z"];
const host = "shop.tail1a2b3.ts.net";
const validity = {
  notBefore: new Date("2026-10-01T00:00:00Z"),
  notAfter: new Date("2026-12-30T00:00:00Z"),
};
const authority = createAuthority();
const good = authority.issue({ names: [host], ...validity });
const other = authority.issue({ names: ["other.example"], ...validity });

let folder = "";

/** The command line as `main.ts` runs it, with streams of its own. */
const certkeep = (args: readonly string[], stdin: string | null = null): Promise<Ended> =>
  runIn(folder, ["check", ...args], {
    stdin: stdin ?? "",
    nowMs: () => parseMs("2026-11-01T00:00:00Z"),
  });

/** The command as a process of its own. */
async function certkeepProcess(args: readonly string[], stdin = ""): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, "check", ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin);
  const code = await new Promise<number>((done) => child.on("close", (ended) => done(ended ?? -1)));
  return { code, out, err };
}

const b64 = (text: string): string => Buffer.from(text).toString("base64");
const manifest = (certificate: string, key: string): string =>
  "apiVersion: v1\n" +
  "kind: Secret\n" +
  "metadata:\n" +
  "  name: operator\n" +
  "  namespace: tailscale\n" +
  "type: Opaque\n" +
  "data:\n" +
  `  ${host}.crt: ${b64(certificate)}\n` +
  `  ${host}.key: ${b64(key)}\n` +
  `  _machinekey: ${b64("privkey:0123")}\n`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "certkeep-check-"));
  const files: Record<string, string> = {
    "root.pem": authority.root.pem,
    "empty.pem": "",
    "good.crt": good.certificatePem,
    "good.key": good.keyPem,
    "other.key": other.keyPem,
    "garbage.crt": "garbage",
    "garbage.key": "garbage",
    "all.pem": good.certificatePem + good.keyPem,
    "bom.pem": `\ufeff${good.leafPem}`,
    "line.pem": (good.certificatePem + good.keyPem).replaceAll("\n", " "),
    "secret.yaml": manifest(good.certificatePem, good.keyPem),
    "broken.yaml": "kind: Secret\ndata:\n\tx: y\n",
    "none.yaml": "kind: List\nitems: []\n",
    "certkeep.yaml": `issuers:\n  - id: sandbox\n    title: Sandbox\n    anchors: root.pem\n`,
    "live/fullchain.pem": good.certificatePem,
    "live/cert.pem": good.leafPem,
    "live/privkey.pem": good.keyPem,
    "mixed/a.crt": good.certificatePem,
    "mixed/a.key": good.keyPem,
    "mixed/b.crt": good.certificatePem,
    "mixed/b.key": other.keyPem,
  };
  for (const name of ["live", "mixed", "nothing"]) await mkdir(join(folder, name));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const trusting = ["--anchors", "root.pem", ...AT];

it.each(["bücher.example", "BÜCHER.example.", "xn--bcher-kva.example."])(
  "takes the name %s as the certificate writes it",
  async (domain) => {
    const pair = authority.issue({ names: ["xn--bcher-kva.example"], ...validity });
    await writeFile(join(folder, "idn.pem"), pair.certificatePem + pair.keyPem);
    expect(await certkeep(["idn.pem", "--domain", domain, ...trusting])).toMatchObject({ code: 0 });
    expect(await certkeep(["all.pem", "--domain", domain, ...trusting])).toMatchObject({ code: 1 });
  },
);

it("reads UTF-16 with a byte order mark: a manifest, a pair and the anchors", async () => {
  const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, "utf16le");
  const written: Record<string, string> = {
    "utf16.yaml": manifest(good.certificatePem, good.keyPem),
    "utf16.crt": good.certificatePem,
    "utf16.key": good.keyPem,
    "utf16.pem": authority.root.pem,
  };
  for (const [name, text] of Object.entries(written))
    await writeFile(join(folder, name), utf16(text));
  const anchors = ["--anchors", "utf16.pem", ...AT];
  for (const args of [["utf16.yaml"], ["utf16.crt", "utf16.key"]])
    expect(await certkeep([...args, ...anchors])).toMatchObject({ code: 0, err: "" });
});

interface Row {
  readonly title: string;
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly code: number;
  /** Subject, and reasons joined by commas. */
  readonly results: readonly (readonly [string, string])[];
}

const rows: readonly Row[] = [
  {
    title: "a good pair",
    args: ["good.crt", "good.key", ...trusting],
    code: 0,
    results: [["good.crt", ""]],
  },
  {
    title: "the name it is for",
    args: ["good.crt", "good.key", "--domain", host, ...trusting],
    code: 0,
    results: [["good.crt", ""]],
  },
  {
    title: "another name",
    args: ["good.crt", "good.key", "--domain", "else.example", ...trusting],
    code: 1,
    results: [["good.crt", "name_mismatch"]],
  },
  {
    title: "public anchors",
    args: ["good.crt", "good.key", ...AT],
    code: 1,
    results: [["good.crt", "unknown_issuer"]],
  },
  {
    title: "no anchors at all",
    args: ["good.crt", "good.key", "--anchors", "empty.pem", ...AT],
    code: 1,
    results: [["good.crt", "unknown_issuer"]],
  },
  {
    title: "another's key",
    args: ["good.crt", "other.key", ...trusting],
    code: 1,
    results: [["good.crt", "key_mismatch"]],
  },
  {
    title: "what can't be read as certificates",
    args: ["garbage.crt", "garbage.key", ...trusting],
    code: 1,
    results: [["garbage.crt", "certificate_not_pem,key_not_pem"]],
  },
  {
    title: "empty files",
    args: ["empty.pem", "empty.pem", ...trusting],
    code: 1,
    results: [["empty.pem", "certificate_empty,key_empty"]],
  },
  {
    title: "the last instant",
    args: ["good.crt", "good.key", "--anchors", "root.pem", "--at", "2026-12-30T01:00:00+01:00"],
    code: 0,
    results: [["good.crt", ""]],
  },
  {
    title: "a millisecond past it",
    args: ["good.crt", "good.key", "--anchors", "root.pem", "--at", "2026-12-30T00:00:00.001Z"],
    code: 1,
    results: [["good.crt", "expired"]],
  },
  {
    title: "chain and key in one file",
    args: ["all.pem", ...trusting],
    code: 0,
    results: [["all.pem", ""]],
  },
  {
    title: "a Secret's manifest",
    args: ["secret.yaml", ...trusting],
    code: 0,
    results: [[`tailscale/operator ${host}`, ""]],
  },
  {
    title: "a manifest on standard input",
    args: ["-", ...trusting],
    stdin: manifest(good.certificatePem, other.keyPem),
    code: 1,
    results: [[`tailscale/operator ${host}`, "key_mismatch"]],
  },
  {
    title: "chain and key on standard input",
    args: ["-", ...trusting],
    stdin: good.certificatePem + good.keyPem,
    code: 0,
    results: [["-", ""]],
  },
  {
    title: "the certificate on standard input",
    args: ["-", "good.key", ...trusting],
    stdin: good.certificatePem,
    code: 0,
    results: [["-", ""]],
  },
  {
    title: "the key on standard input",
    args: ["good.crt", "-", ...trusting],
    stdin: good.keyPem,
    code: 0,
    results: [["good.crt", ""]],
  },
  {
    title: "a certificate alone",
    args: ["good.crt", ...trusting],
    code: 0,
    results: [["good.crt", ""]],
  },
  {
    title: "a certificate alone, of another name, on standard input",
    args: ["-", "--domain", "else.example", ...trusting],
    stdin: good.certificatePem,
    code: 1,
    results: [["-", "name_mismatch"]],
  },
  {
    title: "a file that Go rejects, alone",
    args: ["bom.pem", ...trusting],
    code: 1,
    results: [["bom.pem", "certificate_not_pem"]],
  },
  {
    title: "chain and key in one line",
    args: ["line.pem", ...trusting],
    code: 1,
    results: [["line.pem", "certificate_not_pem,key_not_pem"]],
  },
  {
    title: "a folder of certbot's",
    args: ["live", ...trusting],
    code: 0,
    results: [["live/fullchain.pem", ""]],
  },
  {
    title: "a folder of pairs",
    args: ["mixed", ...trusting],
    code: 1,
    results: [
      ["mixed/a.crt", ""],
      ["mixed/b.crt", "key_mismatch"],
    ],
  },
  {
    title: "issuers of a configuration",
    args: ["good.crt", "good.key", "--config", "certkeep.yaml", ...AT],
    code: 0,
    results: [["good.crt", ""]],
  },
  {
    title: "a certificate that isn't there",
    args: ["nope.crt", "good.key", ...trusting],
    code: 3,
    results: [],
  },
  {
    title: "anchors that aren't there",
    args: ["good.crt", "good.key", "--anchors", "nope.pem", ...AT],
    code: 3,
    results: [],
  },
];

describe("certkeep check --json", () => {
  it.each(rows)("$title", async ({ args, stdin, code, results }) => {
    const ended = await certkeep([...args, "--json"], stdin);
    const document = JSON.parse(ended.out) as {
      schema: string;
      results: { subject: string; valid: boolean; reasons: string[] }[];
    };
    expect(Object.keys(document)).toEqual(["schema", "results"]);
    expect(document.schema).toBe("certkeep.check/v1");
    expect(document.results.map((result) => [result.subject, result.reasons.join(",")])).toEqual(
      results,
    );
    for (const result of document.results) {
      expect(Object.keys(result)).toEqual([
        "subject",
        "names",
        "valid",
        "reasons",
        "notBefore",
        "notAfter",
        "issuer",
        "serial",
        "sha256",
      ]);
      expect(result.valid).toBe(result.reasons.length === 0);
    }
    expect(ended.code).toBe(code);
  });
});

describe("certkeep check, usage", () => {
  it.each([
    ["no argument", [], null, "missing required argument"],
    ["nothing on standard input", ["-"], "", "standard input: it is empty"],
    ["neither PEM nor manifest", ["garbage.crt"], null, "neither PEM nor a Secret manifest"],
    ["a manifest with an error", ["broken.yaml"], null, "broken.yaml:3:1"],
    ["a manifest without a Secret", ["none.yaml"], null, "holds a certificate"],
    ["standard input twice", ["-", "-"], "", "more than once"],
    ["a folder without a pair", ["nothing"], null, "have no pair such as"],
    ["a folder and a key", ["live", "good.key"], null, "this is a folder, and a key is named too"],
    ["no instant", ["good.crt", "good.key", "--at", "yesterday"], null, "RFC 3339"],
    [
      "an instant without offset",
      ["good.crt", "good.key", "--at", "2026-11-01T00:00:00"],
      null,
      "RFC 3339",
    ],
    ["an empty name", ["good.crt", "good.key", "--domain", ""], null, "--domain"],
    ["an unknown option", ["good.crt", "good.key", "--domian", "x"], null, "--domain"],
    [
      "a configuration that isn't there",
      ["good.crt", "good.key", "--config", "nope.yaml"],
      null,
      "nope.yaml",
    ],
  ] as const)("%s", async (_title, args, stdin, message) => {
    const ended = await certkeep(args, stdin);
    expect(ended.err).toContain(message);
    expect(ended.out).toBe("");
    expect(ended.code).toBe(2);
  });
});

describe("certkeep check, as a process", () => {
  it.each([
    {
      title: "0 for a good pair",
      args: ["good.crt", "good.key", ...trusting],
      stdin: "",
      code: 0,
      out: "good.crt: OK",
    },
    {
      title: "1 for one that isn't, on standard input",
      args: ["-", "--json", ...trusting],
      stdin: manifest(good.certificatePem, other.keyPem),
      code: 1,
      out: '"reasons":["key_mismatch"]',
    },
    { title: "2 for wrong use", args: ["-", "-"], stdin: "", code: 2, out: "" },
    {
      title: "3 for a file that can't be opened",
      args: ["nope.crt", "good.key"],
      stdin: "",
      code: 3,
      out: "",
    },
  ])("ends with $title", async ({ args, stdin, code, out }) => {
    const ended = await certkeepProcess(args, stdin);
    expect(ended.code).toBe(code);
    expect(ended.out).toContain(out);
    expect(ended.err === "").toBe(code < 2);
  });
});

describe("certkeep check, in words", () => {
  it("says what is wrong and what follows, and never prints the key", async () => {
    const ended = await certkeep(["mixed", ...trusting]);
    expect(ended.code).toBe(1);
    expect(ended.out).toContain("mixed/a.crt: OK");
    expect(ended.out).toContain("mixed/b.crt: REJECTED");
    expect(ended.out).toContain("(key_mismatch)");
    expect(ended.out.replaceAll(/\s+/g, " ")).toContain(
      "on the next connection Tailscale discards it and requests a new one",
    );
    for (const line of [...good.keyPem.split("\n"), ...other.keyPem.split("\n")].filter(
      (text) => text.length > 20 && !text.startsWith("-"),
    )) {
      expect(ended.out + ended.err).not.toContain(line);
    }
    expect(ended.out).not.toContain("\u001b");
  });

  it("says that the key wasn't checked where none was given", async () => {
    const ended = await certkeep(["good.crt", ...trusting]);
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(ended.out).toContain("good.crt: OK");
    expect(ended.out).toContain("Not checked: no private key was given.");
    expect(ended.out).toContain("would accept it if its private key matches");
    const json = await certkeep(["good.crt", "--json", ...trusting]);
    expect(json.err).toContain("good.crt: the private key wasn't checked");
    const both = await certkeep(["good.crt", "good.key", ...trusting]);
    expect(both.out).not.toContain("Not checked");
  });

  it.each([
    ["a byte order mark", ["bom.pem"], "a byte order mark (BOM) hides PEM block 1"],
    ["one line", ["line.pem"], "line breaks are missing in PEM block 1"],
    ["PEM text under data", ["raw.yaml"], "the value under data isn't base64"],
  ])("hints at %s", async (_title, args, hint) => {
    await writeFile(
      join(folder, "raw.yaml"),
      manifest("x", good.keyPem).replace(/(\.crt): .*/, `$1: "-----BEGIN CERTIFICATE-----"`),
    );
    const ended = await certkeep([...args, ...trusting]);
    expect(ended.code).toBe(1);
    expect(ended.out.replaceAll(/\s+/g, " ")).toContain(hint);
  });

  it("says so when nothing is trusted", async () => {
    const ended = await certkeep(["good.crt", "good.key", "--anchors", "empty.pem", ...AT]);
    expect(ended.err).toContain("nothing is trusted");
  });

  it("still does the others when one file can't be read", async () => {
    const locked = join(folder, "locked");
    await mkdir(locked, { recursive: true });
    await writeFile(join(locked, "a.crt"), good.certificatePem);
    await writeFile(join(locked, "a.key"), good.keyPem);
    await mkdir(join(locked, "b.crt"), { recursive: true });
    await writeFile(join(locked, "b.key"), good.keyPem);
    await chmod(join(locked, "b.key"), 0o600);
    const ended = await certkeep(["locked", "--json", ...trusting]);
    expect(ended.code).toBe(3);
    expect(ended.err).toContain("locked/b.crt: it is a folder");
    expect(JSON.parse(ended.out)).toMatchObject({
      results: [{ subject: "locked/a.crt", valid: true }],
    });
  });
});
