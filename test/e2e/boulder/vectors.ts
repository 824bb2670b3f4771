/** Prints the vectors of test/issuance/vectors.json: `npm exec -- node test/e2e/boulder/vectors.ts > test/issuance/vectors.json`. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { askIssuer, createQuestion } from "./timelines.ts";

const program = execFileSync(join(import.meta.dirname, "build.sh"), { encoding: "utf8" }).trim();
const module = /github\.com\/letsencrypt\/boulder v\S+/.exec(readFileSync(join(import.meta.dirname, "go.mod"), "utf8"))?.[0];
const question = createQuestion(1, 60);
const reply = askIssuer(program, question);
const lines = question.timelines.map(({ asks: _asks, ...timeline }, i) => `    ${JSON.stringify({ ...timeline, answers: reply.timelines[i] })}`);
const domains = Object.entries(reply.domains).map(([name, domain]) => `    ${JSON.stringify(name)}: ${JSON.stringify(domain)}`);
process.stdout.write(`{\n  "madeWith": ${JSON.stringify(module)},\n  "timelines": [\n${lines.join(",\n")}\n  ],\n  "domains": {\n${domains.join(",\n")}\n  }\n}\n`);
