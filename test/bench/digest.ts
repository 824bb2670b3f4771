/**
 * A digest over 1,000 clusters of 50 certificates, from the states of a file store to the blocks
 * that Slack gets: time and memory in a process of its own. And the page for 10,000 certificates:
 * its size and what making it takes.
 *
 * Run: `npm exec -- node test/bench/digest.ts`
 */
import { NOW_MS } from "../finding/fixture.ts";
import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStates } from "../../lib/adapters/file/stores.ts";
import { withHeapLimits } from "../../lib/adapters/heap.ts";
import { LETS_ENCRYPT } from "../../lib/issuer/issuers.ts";
import { pageHtml } from "../../lib/report/html/page.ts";
import { planDigest } from "../../lib/report/digest.ts";
import { slackMessage } from "../../lib/report/slack/blocks.ts";
import { formatState } from "../../lib/state/document.ts";
import { surveyStates } from "../../lib/usecases/report.ts";
import { stateName } from "../../lib/usecases/states.ts";
import { fleet, fleetCluster } from "../report/fleet.ts";
import { ROUTE, SETTINGS } from "../report/support.ts";
import { megabytes, putRow, seconds } from "./support/row.ts";

const CLUSTERS = 1000;
const CERTIFICATES = 50;

async function digest(folder: string): Promise<void> {
  const begin = performance.now();
  const clock = { nowMs: () => NOW_MS };
  const overview = await surveyStates(
    {
      states: withHeapLimits(createFileStates(folder)),
      clock,
      issuance: { wall: clock, kit: { issuers: [LETS_ENCRYPT] }, overrides: [] },
    },
    { registered: [], ignore: [] },
  );
  const { message } = planDigest({
    ...overview,
    record: null,
    nowMs: NOW_MS,
    settings: SETTINGS,
    route: ROUTE,
  });
  const blocks = message === null ? 0 : slackMessage(message).blocks.length;
  process.send?.({
    seconds: (performance.now() - begin) / 1000,
    rss: process.resourceUsage().maxRSS * 1024,
    blocks,
    clusters: overview.summaries.length,
  });
  process.disconnect?.();
}

interface Measured {
  readonly seconds: number;
  readonly rss: number;
  readonly blocks: number;
  readonly clusters: number;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-bench-digest-"));
  try {
    const states = createFileStates(folder);
    for (let i = 0; i < CLUSTERS; i += 1) {
      const name = `c${String(i).padStart(4, "0")}`;
      await states.write(stateName(name), formatState(fleetCluster(name, CERTIFICATES)), null);
    }
    const begin = performance.now();
    const measured = await new Promise<Measured>((resolve, reject) => {
      const child = fork(import.meta.filename, ["--digest", folder], {
        stdio: ["ignore", 2, 2, "ipc"],
      });
      child.once("message", (message) => resolve(message as Measured));
      child.once("exit", (code) => reject(new Error(`the digest ended with ${code}`)));
    });
    if (measured.clusters !== CLUSTERS || measured.blocks === 0)
      throw new Error("the digest is not of all clusters");
    const wholeS = (performance.now() - begin) / 1000;
    putRow({
      what: `digest over ${CLUSTERS} clusters of ${CERTIFICATES} certificates`,
      hold: "under 5 s",
      measured: `${seconds(wholeS)}, process start included`,
      holds: wholeS < 5,
    });
    putRow({
      what: "  its memory at most",
      hold: "under 256 MB",
      measured: megabytes(measured.rss),
      holds: measured.rss < 256e6,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const input = fleet([fleetCluster("prod", 10_000)]);
  const begin = performance.now();
  const page = pageHtml(input);
  putRow({
    what: "page for 10,000 certificates",
    hold: "",
    measured:
      `${(Buffer.byteLength(page) / 1e6).toFixed(1)} MB, made in ` +
      `${seconds((performance.now() - begin) / 1000)}`,
    holds: null,
  });
}

const [flag, folder] = process.argv.slice(2);
if (flag === "--digest" && folder !== undefined) await digest(folder);
else await main();
