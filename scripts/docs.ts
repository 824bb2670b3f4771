/** `npm run docs`: writes the tables of codes into the docs. */
import { readFile, writeFile, glob } from "node:fs/promises";
import { parse } from "yaml";
import type { Given } from "../stack/parameters.ts";
import { docTables, withTables } from "./doctables.ts";

const root = `${import.meta.dirname}/..`;
const serverless = parse(await readFile(`${root}/serverless.yml`, "utf8")) as {
  readonly params: { readonly default: Given };
};
const tables = docTables(serverless.params.default);
for await (const path of glob("docs/*.md", { cwd: root })) {
  const page = await readFile(`${root}/${path}`, "utf8");
  await writeFile(`${root}/${path}`, withTables(page, tables));
}
