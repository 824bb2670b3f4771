/**
 * Sets up what functions on AWS need before they are deployed: the webhook of the digest and, if
 * the person wants restores and drills there, the identity, each as a secret of its own; and in
 * `certkeep.yaml` the route and where the functions are.
 *
 * Neither value stands in a file, an argument or a message. A secret that is there is left as it
 * is, so that running it again changes nothing. Refused: a `certkeep.yaml` that can't be packaged,
 * before anything is made.
 */
import { addCloud } from "../config/edit.ts";
import { parseConfig } from "../config/parse.ts";
import { invalidConfig } from "../config/problem.ts";
import { registryNames, secretReference } from "../config/registered.ts";
import { refuseUnpackaged } from "../config/deployed.ts";
import { CertkeepError } from "../error.ts";
import type { SecretKeeper } from "../ports/registry.ts";
import type { InitFiles, InitResult } from "./init.ts";

export interface CloudRequest {
  readonly stage: string;
  readonly region: string;
  /** The webhook's URL; `null`: it is asked for, or skipped where nobody is asked. */
  readonly webhook: string | null;
  readonly skipWebhook: boolean;
  /** Put the identity into the cloud; `null`: it is asked, and not where nobody is. */
  readonly identity: boolean | null;
}

export interface CloudQuestions {
  /** Without echo; `null` to skip it. */
  webhook(check: (text: string) => string | null): Promise<string | null>;
  identity(): Promise<boolean>;
}

export interface CloudPorts {
  readonly files: Pick<InitFiles, "read" | "replace">;
  readonly secrets: SecretKeeper;
  /** `null`: nobody is asked. */
  readonly questions: CloudQuestions | null;
  /** What is wrong with a webhook's URL; `null`: nothing. */
  webhookProblem(text: string): string | null;
  note(message: string): void;
}

export interface CloudResult {
  readonly registry: string;
  readonly webhook: { readonly name: string; readonly action: "created" | "kept" | "skipped" };
  readonly identity: { readonly name: string; readonly action: "created" | "kept" | "absent" };
  readonly config: "updated" | "kept";
}

const ROUTE = "ops";

/** `secretsmanager://certkeep/STAGE`, as serverless.yml has it. */
function registryOf(stage: string): string {
  return `secretsmanager://certkeep/${stage}`;
}

export function webhookSecret(stage: string): string {
  return registryNames(registryOf(stage)).slack(ROUTE);
}

/** What keeps a configuration from being packaged. @throws CertkeepError config_invalid */
export async function checkPackable(
  path: string,
  ports: Pick<CloudPorts, "files" | "note">,
): Promise<void> {
  const text = await ports.files.read(path);
  if (text === null) return;
  const parsed = parseConfig(text, path);
  if (!parsed.ok) throw invalidConfig(path, parsed.problems);
  refuseUnpackaged(parsed.config, path);
  for (const { name } of parsed.config.clusters)
    ports.note(
      `cluster ${name} stands in ${path}: the functions don't audit it there. Once they are ` +
        `deployed, register it: certkeep clusters add ${name}`,
    );
}

export async function runInitCloud(
  request: CloudRequest,
  init: InitResult,
  ports: CloudPorts,
): Promise<CloudResult> {
  const registry = registryOf(request.stage);
  const names = registryNames(registry);
  const webhook = {
    name: webhookSecret(request.stage),
    action: await keepWebhook(webhookSecret(request.stage), request, ports),
  };
  const identity = {
    name: names.identity,
    action: await keepIdentity(names.identity, request, init, ports),
  };
  const route =
    webhook.action === "skipped" ? null : { name: ROUTE, webhook: secretReference(webhook.name) };
  return {
    registry,
    webhook,
    identity,
    config: await complete(
      init.config.path,
      { region: request.region, stage: request.stage, route },
      ports,
    ),
  };
}

async function keepWebhook(
  name: string,
  request: CloudRequest,
  ports: CloudPorts,
): Promise<"created" | "kept" | "skipped"> {
  if (await ports.secrets.exists(name)) return "kept";
  if (request.skipWebhook) return "skipped";
  const url =
    request.webhook ??
    (ports.questions === null ? null : await ports.questions.webhook(ports.webhookProblem));
  if (url === null) return "skipped";
  const problem = ports.webhookProblem(url.trim());
  if (problem !== null)
    throw new CertkeepError("usage", {
      where: "the webhook",
      found: problem,
      todo: "Give the URL of a Slack webhook",
    });
  return (await ports.secrets.create(name, url.trim(), "Slack webhook of certkeep's digest")) ===
    "created"
    ? "created"
    : "kept";
}

async function keepIdentity(
  name: string,
  request: CloudRequest,
  init: InitResult,
  ports: CloudPorts,
): Promise<"created" | "kept" | "absent"> {
  if (await ports.secrets.exists(name)) return "kept";
  const wanted =
    request.identity ?? (ports.questions === null ? false : await ports.questions.identity());
  if (!wanted) return "absent";
  const path = init.identity?.path ?? null;
  const text = path === null ? null : await ports.files.read(path);
  if (path === null || text === null || !init.opens) {
    throw new CertkeepError("identity_invalid", {
      where: path ?? "certkeep init --aws",
      found: "no identity here decrypts backups for the current recipients",
      todo:
        "Name the file of the identity whose recipient certkeep.yaml names: certkeep init --aws " +
        "--identity FILE",
    });
  }
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line.startsWith("AGE-SECRET-KEY-"));
  if (lines.length === 0)
    throw new CertkeepError("identity_invalid", {
      where: path,
      found: "its identity is behind a passphrase, which no function can type",
      todo:
        "Use one without a passphrase, or leave the identity on your machine: restores and " +
        "drills then run from there",
    });
  return (await ports.secrets.create(
    name,
    `${lines.join("\n")}\n`,
    "age identity that opens certkeep's copies",
  )) === "created"
    ? "created"
    : "kept";
}

async function complete(
  path: string,
  addition: Parameters<typeof addCloud>[1],
  ports: CloudPorts,
): Promise<"updated" | "kept"> {
  const text = (await ports.files.read(path)) ?? "";
  const after = addCloud(text, addition);
  if (after === text) return "kept";
  if (after === null) {
    const route =
      addition.route === null
        ? ""
        : "\n" +
          "digest:\n" +
          "  routes:\n" +
          `    - {name: ${addition.route.name}, webhook: "${addition.route.webhook}"}`;
    ports.note(
      `${path} was left as it is, since nothing can be put into it safely. Add to it:\n` +
        `aws: {region: ${addition.region}, stage: ${addition.stage}}${route}`,
    );
    return "kept";
  }
  if ((await ports.files.replace(path, text, after)) === "replaced") return "updated";
  throw new CertkeepError("usage", {
    where: path,
    found: "the file changed in the meantime",
    todo: "Run certkeep init --aws again",
  });
}
