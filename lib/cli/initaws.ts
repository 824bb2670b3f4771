/** `certkeep init --aws`: what the functions need before they are deployed. */
import { composeInitCloud, type CloudWorld } from "../wiring/init.ts";
import { REGION, STAGE } from "../config/form.ts";
import { CertkeepError } from "../error.ts";
import { plain } from "../plain.ts";
import { runInit, type InitResult } from "../usecases/init.ts";
import {
  checkPackable,
  runInitCloud,
  webhookSecret,
  type CloudResult,
} from "../usecases/initcloud.ts";
import type { CommonOptions } from "./options.ts";

export interface CloudOptions extends CommonOptions {
  readonly yes?: boolean;
  readonly identity?: string;
  readonly aws?: boolean;
  readonly stage: string;
  readonly region?: string;
  readonly webhook?: string;
  readonly identityInCloud?: boolean;
}

export interface CloudSetup {
  readonly init: InitResult;
  readonly cloud: CloudResult;
  readonly next: readonly { readonly command: string; readonly does: string }[];
}

export async function initCloud(
  world: Omit<CloudWorld, "region">,
  options: CloudOptions,
): Promise<CloudSetup> {
  const { stage } = options;
  if (!STAGE.test(stage))
    throw new CertkeepError("usage", {
      where: "--stage",
      found: `${plain(stage.slice(0, 60))} can't be a stage`,
      todo: "Use at most 20 small letters, digits and -, the first a letter",
    });
  const composed = await composeInitCloud({
    ...world,
    contexts: [],
    region: options.region ?? null,
  });
  const { places, ports, cloud } = composed;
  const region = regionOf(composed.region);
  const webhook = webhookOf(options, world.env);
  const parts = await cloud(region);
  if (places.existing !== null) await checkPackable(places.existing, parts);
  if (
    webhook === null &&
    world.questions === null &&
    !(await parts.secrets.exists(webhookSecret(stage)))
  ) {
    throw new CertkeepError("usage", {
      where: "--webhook",
      found: "it is missing",
      todo: ENV_WEBHOOK,
    });
  }
  const init = await runInit(places, ports);
  const result = await runInitCloud(
    {
      stage,
      region,
      webhook: webhook?.url ?? null,
      skipWebhook: webhook !== null && webhook.url === null,
      identity: options.identityInCloud === true ? true : null,
    },
    init,
    parts,
  );
  return {
    init,
    cloud: result,
    next: [
      { command: "npm ci", does: "install what the deployment needs" },
      {
        command: `npx serverless deploy --stage ${stage} --region ${region}`,
        does: "deploy, and print what to do next",
      },
    ],
  };
}

function regionOf(region: string | null): string {
  if (region !== null && REGION.test(region)) return region;
  throw new CertkeepError("usage", {
    where: "--region",
    found:
      region === null
        ? "it is missing, and the environment sets no region"
        : `${plain(region.slice(0, 60))} isn't an AWS region`,
    todo: "Name one, such as --region eu-west-1",
  });
}

const ENV_WEBHOOK =
  "Use --webhook env:NAME with the name of an environment variable that holds the URL (an " +
  "argument would stay in the shell's history), or --webhook none";

/** `null`: it is to be asked for; a `url` of `null`: it is skipped. */
function webhookOf(
  { webhook }: CloudOptions,
  env: CloudWorld["env"],
): { readonly url: string | null } | null {
  if (webhook === undefined) return null;
  if (webhook === "none") return { url: null };
  const refuse = (found: string): CertkeepError =>
    new CertkeepError("usage", { where: "--webhook", found, todo: ENV_WEBHOOK });
  if (!/^env:[A-Za-z_][A-Za-z0-9_]*$/.test(webhook))
    throw refuse("its value isn't env:NAME or none (not shown, since it may be the URL)");
  const value = env[webhook.slice("env:".length)];
  if (value === undefined || value.trim() === "")
    throw refuse(`the environment variable of ${webhook} is missing or empty`);
  return { url: value };
}

export function cloudLines(
  { webhook, identity, registry }: CloudResult,
  configFile: string,
): string[] {
  const done = {
    created: "Created",
    kept: "Unchanged:",
    skipped: "Not created:",
    absent: "Not created:",
  } as const;
  return [
    `${done[webhook.action]} secret ${webhook.name} (Slack webhook of the digest)`,
    ...(webhook.action === "skipped"
      ? ["  No digest is posted without it. Run this again to add it"]
      : []),
    `${done[identity.action]} secret ${identity.name} (identity that decrypts backups)`,
    ...(identity.action === "absent"
      ? ["  Restores and drills run from your machine, with your identity"]
      : []),
    `The deployment includes ${configFile}`,
    `  Clusters are registered in ${registry}, without a deployment`,
  ];
}
