/** Interoperability with the `age` command, both ways. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOpener, generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createSealer } from "../../lib/adapters/age/sealer.ts";
import { composeDocument } from "../../lib/backup/document.ts";
import { buildDocument } from "../../lib/backup/draft.ts";
import { RECORD } from "../backup/records.ts";

const run = promisify(execFile);
let folder = "";
/** Files of two identities that age-keygen made, and their recipients. */
const keys: { path: string; content: string; recipient: string }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "certkeep-age-"));
  for (const name of ["one", "two"]) {
    const path = join(folder, `${name}.txt`);
    await run("age-keygen", ["-o", path]);
    keys.push({
      path,
      content: await readFile(path, "utf8"),
      recipient: (await run("age-keygen", ["-y", path])).stdout.trim(),
    });
  }
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

describe("the age command opens what certkeep sealed", () => {
  test.each([0, 1, 65_535, 65_536, 65_537, 300_000])(
    "%i bytes, with the identity of either recipient, LF or CRLF",
    async (length) => {
      const plaintext = Buffer.alloc(length, "certkeep\n");
      const sealed = await createSealer().seal(
        plaintext,
        keys.map((key) => key.recipient),
      );
      for (const [name, text] of [
        ["lf.age", sealed],
        ["crlf.age", sealed.replaceAll("\n", "\r\n")],
      ] as const) {
        const path = await write(name, text);
        for (const key of keys) {
          const { stdout } = await run("age", ["-d", "-i", key.path, path], {
            encoding: "buffer",
            maxBuffer: 1_000_000,
          });
          expect(stdout.equals(plaintext)).toBe(true);
        }
      }
    },
  );

  test("with an identity that certkeep made, by the line of the documentation", async () => {
    const identity = await generateIdentity();
    const identityFile = await write("made.txt", `# made by certkeep\n${identity.secret}\n`);
    expect((await run("age-keygen", ["-y", identityFile])).stdout.trim()).toBe(identity.recipient);
    const draft = buildDocument(RECORD, [identity.recipient]);
    const { text } = composeDocument(
      draft.header,
      await createSealer().seal(draft.plaintext, [identity.recipient]),
    );
    const copy = await write(`${draft.version}.json`, text);
    const script = `set -o pipefail; jq -r .sealed "$1" | age -d -i "$2" | jq 'select(.kind=="Secret")'`;
    const { stdout } = await run("bash", ["-c", script, "bash", copy, identityFile]);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "Secret",
      metadata: { name: RECORD.header.secret, namespace: RECORD.header.namespace },
      type: RECORD.type,
      data: RECORD.data,
    });
  });
});

describe("certkeep opens what the age command sealed", () => {
  test("armored, for several recipients, with the identity files of age-keygen, LF or CRLF", async () => {
    const plain = await write("plain", Buffer.alloc(100_000, "x"));
    const { stdout } = await run(
      "age",
      ["-a", ...keys.flatMap((key) => ["-r", key.recipient]), plain],
      { maxBuffer: 1_000_000 },
    );
    for (const key of keys) {
      for (const content of [key.content, key.content.replaceAll("\n", "\r\n")]) {
        const opener = await createOpener([{ where: key.path, content }]);
        expect(opener.recipients).toEqual([key.recipient]);
        expect((await opener.open(stdout)).byteLength).toBe(100_000);
        expect((await opener.open(stdout.replaceAll("\n", "\r\n"))).byteLength).toBe(100_000);
      }
    }
  });
});
