/** A digest or report with its concrete parts: the states, and a poster for each route. */
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createSlackPoster, webhookProblem } from "../adapters/slack/poster.ts";
import type { DigestRoute } from "../config/digest.ts";
import { CertkeepError } from "../error.ts";
import { restoreFunctionOf } from "../finding/action.ts";
import type { SecretValues } from "../ports/registry.ts";
import { plain } from "../plain.ts";
import type { Route } from "../usecases/digest/deliver.ts";
import { issuersOf, limitOverrides } from "./kit.ts";
import { readReference } from "./reference.ts";
import { composeSettings, type World } from "./settings.ts";
import { withHeapLimits } from "../adapters/heap.ts";
import { type RunWorld, viaOfConfig } from "./world.ts";

type ReportWorld = World & Pick<RunWorld, "nowMs" | "atMs" | "signal">;

export async function composeReport(world: ReportWorld) {
  const settings = await composeSettings({ ...world, reach: "none" });
  const { config, file, names, secrets, stores } = settings;
  // One instant for all that is said.
  const nowMs = world.nowMs();
  return {
    config,
    file,
    ports: {
      states: withHeapLimits(stores.states),
      clock: { nowMs: () => world.atMs ?? nowMs },
      issuance: {
        wall: { nowMs: () => nowMs },
        kit: { issuers: issuersOf(config) },
        overrides: limitOverrides(config),
      },
      restore: restoreFunctionOf(config.aws),
      via: viaOfConfig(world, config),
    },
    scope: { registered: names, ignore: config.ignore },
    secrets,
  };
}

const WRITE_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "there is no such folder",
  EISDIR: "it is a folder",
  EACCES: "this user has no permission to write there",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left on the disk",
};

export async function writePage(file: string, cwd: string, html: string): Promise<void> {
  try {
    await writeFile(resolve(cwd, file), html);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new CertkeepError("usage", {
      where: `--html ${plain(file)}`,
      found: WRITE_FAILURES[code] ?? `the file can't be written (${code})`,
      todo: "Name a file in a folder that exists",
    });
  }
}

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** `deliver`: whether webhooks are needed, and so read. @throws as composeReport */
export async function composeDigest(world: ReportWorld, deliver: boolean) {
  const composed = await composeReport(world);
  const { atMinute, weekday, routes } = composed.config.digest;
  return {
    ...composed,
    digestPorts: {
      states: composed.ports.states,
      clock: { nowMs: () => world.atMs ?? world.nowMs() },
      newId: randomUUID,
      ...(world.signal === undefined ? {} : { signal: world.signal }),
    },
    settings: { atMinute, weekday: WEEKDAYS.indexOf(weekday) },
    routes: await Promise.all(
      routes.map(async (route, index) => ({
        ...route,
        ...(deliver
          ? await posterOf(
              {
                ...route,
                place: `${composed.file ?? "certkeep.yaml"}: digest.routes[${index}].webhook`,
              },
              world.env,
              composed.secrets,
            )
          : { poster: null, problem: null }),
      })),
    ),
  };
}

/**
 * The route's poster, or why it has none; a webhook that can't be read is this route's trouble
 * alone.
 */
async function posterOf(
  route: DigestRoute & { readonly place: string },
  env: World["env"],
  secrets: SecretValues,
): Promise<Pick<Route, "poster" | "problem">> {
  const problem = (found: string): Pick<Route, "poster" | "problem"> => ({
    poster: null,
    problem: new CertkeepError("delivery_failed", {
      where: `${route.place} (route ${route.name}): ${route.webhook}`,
      found,
      todo: "Put the URL of a Slack webhook there. What is due stays queued until then",
    }),
  });
  const referred = await readReference(route.webhook, { env, secrets });
  if (!referred.ok)
    return referred.error === null
      ? problem(referred.found)
      : { poster: null, problem: referred.error };
  const text = Buffer.from(referred.bytes).toString("utf8").trim();
  const wrong = webhookProblem(text);
  return wrong === null ? { poster: createSlackPoster(text), problem: null } : problem(wrong);
}
