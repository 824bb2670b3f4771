/**
 * The fake API server against what a real kube-apiserver 1.34.4 once answered to the same requests.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Transcript, runApiserverContract } from "../contract/apiserver.ts";
import { startSandboxServer } from "./support.ts";

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, "apiserver.json"), "utf8"),
) as Transcript;
const { server, stop } = await startSandboxServer();
const transcript = await runApiserverContract(server);
await stop();

it("asks what was asked of the real server", () => {
  expect(transcript.map(({ step }) => step)).toEqual(recorded.map(({ step }) => step));
});

it.each(transcript.map((line, at) => [line.step, line, recorded[at]] as const))(
  "answers alike: %s",
  (_step, line, real) => {
    expect(line).toEqual(real);
  },
);
