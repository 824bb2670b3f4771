/**
 * What is deployed is the same whenever and wherever it is packaged, and holds nothing but code and
 * certkeep.yaml.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FUNCTIONS } from "../../../stack/names.ts";
import { namesInZip } from "../../deploy/support.ts";
import { runProgram } from "../support/run.ts";
import { FRAMEWORK, layOut } from "./deployment.ts";

describe("serverless package", () => {
  const folders = [layOut("recipients: []\n"), layOut("recipients: []\n")];
  afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  it(
    "gives the same bytes in another folder at another time, with no account, and packs no " +
      "cluster",
    async () => {
      const hashes: Record<string, string>[] = [];
      for (const folder of folders) {
        mkdirSync(join(folder, "clusters"));
        for (const name of [
          "clusters/prod.yaml",
          "clusters/prod.kubeconfig",
          "prod.kubeconfig",
          "identity.txt",
        ])
          writeFileSync(join(folder, name), "canary");
        const packaged = await runProgram(
          process.execPath,
          [FRAMEWORK, "package", "--stage", "prod"],
          {
            cwd: folder,
            env: {
              PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
              HOME: folder,
              CI: "1",
            },
            timeoutMs: 280_000,
          },
        );
        if (packaged.code !== 0) throw new Error(packaged.stdout + packaged.stderr);
        const made = join(folder, ".serverless");
        const zips = readdirSync(made).filter((name) => name.endsWith(".zip"));
        hashes.push(
          Object.fromEntries(
            zips.map((name) => [
              name,
              createHash("sha256")
                .update(readFileSync(join(made, name)))
                .digest("hex"),
            ]),
          ),
        );
        for (const name of zips)
          expect(namesInZip(readFileSync(join(made, name)))).toEqual([
            "certkeep.yaml",
            `functions/${name.slice(0, -4)}.cjs`,
            `functions/${name.slice(0, -4)}.cjs.map`,
          ]);
      }
      expect(Object.keys(hashes[0] ?? {}).toSorted()).toEqual(
        FUNCTIONS.map((name) => `${name}.zip`).toSorted(),
      );
      expect(hashes[1]).toEqual(hashes[0]);
    },
    600_000,
  );
});
