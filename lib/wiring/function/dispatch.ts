/** The dispatching function with its concrete parts: names of the registry, no credential; the states; the queue. */
import { readFile } from "node:fs/promises";
import { createSqsQueue } from "../../adapters/aws/queue.ts";
import { createS3Text } from "../../adapters/aws/s3text.ts";
import { sqsClient } from "../../adapters/aws/sqsclient.ts";
import { publishedConfig, type Published } from "../../config/publish.ts";
import { CertkeepError } from "../../error.ts";
import type { SharedText } from "../../ports/stores.ts";
import type { DispatchPorts } from "../../usecases/function/dispatch.ts";
import { awsWorld } from "../aws.ts";
import { composeSettings } from "../settings.ts";
import { thrifty } from "../thrift.ts";
import type { FunctionRun } from "./run.ts";

export interface ComposedDispatch {
  readonly ports: DispatchPorts;
  readonly registered: readonly string[];
  readonly intervalMinutes: number;
  /** `null`: the deployment names no place for it. */
  readonly publish: { readonly published: Published; readonly place: SharedText } | null;
}

/** @throws CertkeepError config_invalid, store_unavailable */
export async function composeDispatch(run: FunctionRun): Promise<ComposedDispatch> {
  const { config, file, names, stores } = await composeSettings({
    ...run,
    deployed: true,
    reach: "none",
  });
  const world = awsWorld(run.env, config.aws);
  const url = required(run, "CERTKEEP_QUEUE_URL", "the URL of the audits' queue");
  const place = run.env["CERTKEEP_PUBLISH"] || null;
  const published =
    place === null
      ? null
      : publishedConfig(file === null ? "" : await readFile(file, "utf8"), config, config.aws);
  return {
    ports: {
      states: thrifty(stores.states),
      queue: createSqsQueue(url, sqsClient(world)),
      clock: { nowNs: run.nowNs },
      log: run.log,
    },
    registered: names,
    intervalMinutes: run.intervalMinutes,
    publish:
      place === null || published === null
        ? null
        : { published, place: createS3Text(place, world) },
  };
}

function required({ env }: FunctionRun, name: string, expected: string): string {
  const value = env[name];
  if (value !== undefined && value !== "") return value;
  throw new CertkeepError("config_invalid", {
    where: `the function's environment, ${name}`,
    found: "nothing",
    expected,
    todo: "Deploy again",
  });
}
