/** What `sources:` switches on, and a token that can't be read. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { composeOutside } from "../../lib/wiring/outside.ts";
import type { SourcesConfig } from "../../lib/config/schema.ts";
import { CertkeepError } from "../../lib/error.ts";
import type { SecretValues } from "../../lib/ports/registry.ts";

const NOTHING: SourcesConfig = { transparency: null, renewalInfo: false, revocation: false };
const TOKEN = "k1234_secret";

let folder: string;
let notes: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "certkeep-outside-"));
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SECRETS: Readonly<Record<string, string>> = {
  "certkeep/prod/sources/certspotter": `${TOKEN}\n`,
  "certkeep/prod/sources/empty": "",
};
const secrets: SecretValues = {
  read: async (name) => {
    if (name.endsWith("/denied"))
      throw new CertkeepError("store_unavailable", {
        where: name,
        found: `AccessDeniedException ${TOKEN}`,
      });
    return SECRETS[name] ?? null;
  },
};
const compose = (over: Partial<SourcesConfig>, env: Readonly<Record<string, string>> = {}) =>
  composeOutside(
    { config: { sources: { ...NOTHING, ...over } }, secrets },
    { env, progress: { note: (message) => void notes.push(message) } },
  );
const withToken = (token: string | null, env: Readonly<Record<string, string>> = {}) =>
  compose({ transparency: { url: "https://127.0.0.1:1/v1", token, domains: null } }, env);

describe("sources", () => {
  it("are none where nothing is switched on, and else those that are", async () => {
    expect(await compose({})).toBeNull();
    expect(await compose({ renewalInfo: true })).toMatchObject({
      transparency: null,
      renewalInfo: {},
      revocation: null,
    });
    expect(await compose({ revocation: true })).toMatchObject({
      transparency: null,
      renewalInfo: null,
      revocation: {},
    });
    expect(
      await compose({ transparency: { url: null, token: null, domains: ["a.example"] } }),
    ).toMatchObject({
      transparency: { domains: ["a.example"], source: { name: "api.certspotter.com" } },
      renewalInfo: null,
      revocation: null,
    });
  });

  it("ask with a token of the environment, a file or a secret", async () => {
    writeFileSync(join(folder, "token"), `${TOKEN}\n`);
    for (const [reference, env] of [
      ["env:TOKEN", { TOKEN }],
      [`file:${join(folder, "token")}`, {}],
      ["secretsmanager://certkeep/prod/sources/certspotter", {}],
    ] as const) {
      const outside = await withToken(reference, env);
      // There is nobody at that address: it was asked.
      expect(await outside?.transparency?.source.page("a.example", null)).toMatchObject({
        ok: false,
        code: "unreachable",
      });
    }
    expect(notes).toEqual([]);
  });

  it.each([
    ["env:TOKEN", {}, "missing or empty"],
    ["env:TOKEN", { TOKEN: " " }, "missing or empty"],
    ["env:TOKEN", { TOKEN: `${TOKEN}\nx-other: 1` }, "the text isn't a token"],
    ["file:/does/not/exist", {}, "no such file"],
    ["file:/", {}, "the file is a folder"],
    ["secretsmanager://certkeep/prod/sources/none", {}, "missing or empty"],
    ["secretsmanager://certkeep/prod/sources/empty", {}, "missing or empty"],
    [
      "secretsmanager://certkeep/prod/sources/denied",
      {},
      "the secret can't be read (store_unavailable)",
    ],
  ])(
    "with the token %s of %j ask nobody, and say why without showing it",
    async (reference, env, found) => {
      const outside = await withToken(reference, env as Readonly<Record<string, string>>);
      expect(await outside?.transparency?.source.page("a.example", null)).toEqual({
        ok: false,
        code: "forbidden",
        retryMs: null,
      });
      expect(notes).toHaveLength(1);
      expect(notes[0]).toContain(`sources.transparency.token: ${reference}`);
      expect(notes[0]).toContain(found);
      expect(notes[0]).not.toContain(TOKEN);
    },
  );
});
