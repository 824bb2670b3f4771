/** `certkeep clusters add NAME` */
import { Command } from "commander";
import { CertkeepError } from "../../error.ts";
import type { Action } from "../../finding/action.ts";
import { plain } from "../../plain.ts";
import { manifestText } from "../../rbac/manifest.ts";
import { commandOf } from "../../report/command.ts";
import { count } from "../../report/text.ts";
import type { AccessPlan } from "../../rbac/rules.ts";
import { PARTS, type Part } from "../../rbac/table.ts";
import { registeredDocument, registeredLines, type RegisterResult } from "../../report/clusters.ts";
import { runRegister } from "../../usecases/register.ts";
import type { Preview } from "../../usecases/register/context.ts";
import { composeExisting, composeRegister, refuseSharedRole } from "../../wiring/register.ts";
import { NO_TERMINAL, noteTo, writeJson, writeLine, type Io } from "../io.ts";
import { configWorld, DOCUMENT, withCommon, worldOf } from "../options.ts";
import {
  daysAsked,
  each,
  eksOf,
  kindOf,
  namesPlan,
  parseDays,
  parseEks,
  parseNamespace,
  parseParts,
  parseSecret,
  planOf,
  type AddOptions,
} from "./plan.ts";
import { printInside, printManifest } from "./print.ts";

const ADDED_SCHEMA = "certkeep.cluster-added/v1";

const NOTES = `
Run it again to rotate the credentials and repair the permissions. What you
leave out stays as registered. A new registration has the namespace tailscale
and the parts secrets, parents and diagnosis.

Examples:
  certkeep clusters add prod --context prod-admin
  certkeep clusters add prod --print | kubectl apply -f -`;

export function addCommand(io: Io): Command {
  const command = new Command("add")
    .description("Register a cluster with minimal credentials")
    .argument("<name>", "Your name for it: lowercase letters, digits and -");
  return withCommon(withInside(withCredentials(withReach(withSteps(command)))), DOCUMENT)
    .addHelpText("after", NOTES)
    .action(async (name: string, _options: AddOptions, self: Command) => {
      const options = self.optsWithGlobals<AddOptions>();
      if (options.print !== undefined || options.inCluster !== undefined)
        await print(io, name, options);
      else await register(io, name, options);
    });
}

function withSteps(command: Command): Command {
  return command
    .option("-y, --yes", "Don't ask for confirmation")
    .option("--print [what]", "Print the manifest, or only `registration` or `policy`")
    .option("--no-apply", "Use the manifest that you applied already (GitOps)")
    .option("--rebuilt", "Accept a rebuilt cluster as the successor of this name")
    .optionsGroup("Cluster:")
    .option("--context <context>", "Use this context of an administrator (default: the current)")
    .option("--kubeconfig <file>", "Use this kubeconfig of an administrator");
}

function withReach(command: Command): Command {
  return command
    .optionsGroup("Permissions:")
    .option("-n, --namespace <namespace>", "Audit this namespace; repeatable", each(parseNamespace))
    .option("-A, --all-namespaces", "Audit every namespace: list and get all Secrets")
    .option("--secret <namespace/name>", "Read this Secret by name; repeatable", each(parseSecret))
    .option("--parts <parts>", `Ask for these permissions: ${PARTS.join(", ")}`, parseParts)
    .option("--with <parts>", "Ask for these as well as the registered ones", parseParts);
}

function withCredentials(command: Command): Command {
  return command
    .optionsGroup("Credentials:")
    .option("--days <days>", "Lifetime of the token in days, or never (default: 365)", parseDays)
    .option("--eks <arn>", "Use IAM roles of this Amazon EKS cluster, no tokens", parseEks)
    .option("--role <arn>", "IAM role that reads, for this cluster alone")
    .option("--restore-role <arn>", "IAM role that restores")
    .option("--credential <file>", "Use the credential in this kubeconfig to read")
    .option("--restore-credential <file>", "Use the credential in this kubeconfig to restore")
    .option("--allow-broad", "Accept a credential that can do more than needed");
}

function withInside(command: Command): Command {
  return command
    .optionsGroup("Audit from inside:")
    .option("--in-cluster <image>", "Print a CronJob with this image, and register nothing")
    .option("--backups <url>", "Store backups here (default: as configured)")
    .option("--state <url>", "Store states here (default: as configured)");
}

async function print(io: Io, name: string, options: AddOptions): Promise<void> {
  const { settings, existing } = await composeExisting(configWorld(io, options), name);
  if (options.inCluster !== undefined || options.print === "policy")
    printInside(io, name, planOf(options, existing), options, settings.config);
  else printManifest(io, name, options, existing, settings.config.stores.registry);
}

async function register(io: Io, name: string, options: AddOptions): Promise<void> {
  if (options.yes !== true && !io.interactive)
    throw new CertkeepError("usage", {
      where: `certkeep clusters add ${name}`,
      found: NO_TERMINAL,
      todo: `Add --yes. To see what it would apply: certkeep clusters add ${name} --print`,
    });
  const run = await composeRegister({
    ...worldOf(io, options),
    name,
    brought: { read: options.credential ?? null, restore: options.restoreCredential ?? null },
    consent: (preview) => consent(io, name, preview, options),
    note: noteTo(io),
  });
  try {
    const printed = options.apply || run.existing !== null ? null : await run.printed();
    const plan =
      printed === null || namesPlan(options)
        ? planOf(options, run.existing, run.namespacesSeen)
        : printed;
    noteNarrowing(io, name, plan, run);
    const kind = kindOf(options, run.existing, run.ports.brought.read?.kind ?? null);
    const eks = eksOf(options, run.existing, kind);
    refuseSharedRole(name, eks, run);
    const result = await runRegister(
      {
        name,
        kind,
        plan,
        eks,
        knownNamespaces: [...(run.existing?.namespaces ?? []), ...run.namespacesSeen],
        tokenDays: daysAsked(options),
        apply: options.apply,
        allowBroad: options.allowBroad === true,
        rebuilt: options.rebuilt === true,
      },
      run.ports,
    );
    tell(io, result, plan.parts, options);
    if (options.json === true) writeJson(io, ADDED_SCHEMA, registeredDocument(result));
  } finally {
    await run.close();
  }
}

/** What audits saw and this registration leaves out is said, and how to keep it. */
function noteNarrowing(
  io: Io,
  name: string,
  { namespaces, secrets }: AccessPlan,
  { existing, namespacesSeen }: Awaited<ReturnType<typeof composeRegister>>,
): void {
  if (namespaces === null) return;
  const left = namespacesSeen.filter(
    (seen) => !namespaces.includes(seen) && !secrets.some(({ namespace }) => namespace === seen),
  );
  const note = noteTo(io);
  if (left.length > 0)
    note(
      `cluster ${name}: audits saw certificates in ${left.join(", ")}, which this leaves out. ` +
        `To keep them: ${left.map((one) => `--namespace ${one}`).join(" ")}`,
    );
  else if (existing?.access == null && namespaces.length > 0)
    note(
      `cluster ${name}: registering ${namespaces.length === 1 ? "namespace" : "namespaces"} ` +
        `${namespaces.join(", ").replace(/, ([^,]+)$/, " and $1")}. To choose others: ` +
        "--namespace NAMESPACE, or --all-namespaces",
    );
}

function tell(
  io: Io,
  result: RegisterResult,
  parts: readonly Part[],
  { config = null }: { readonly config?: string | null },
): void {
  const cluster = result.name;
  const offer = (title: string, ...actions: readonly Action[]): void => {
    const via = { context: null, kubeconfig: null, config };
    const commands = actions.flatMap((action) => commandOf({ ...action, via }) ?? []);
    writeLine(io.stderr, [title, ...commands.map((command) => `  ${command}`)].join("\n"));
  };
  for (const line of registeredLines(result, io.nowMs())) writeLine(io.stderr, line);
  for (const [part, why] of [
    ["diagnosis", "To find why certificates are reissued:"],
    ["restore", "To restore (adds a second credential, stored apart):"],
  ] as const)
    if (!parts.includes(part)) offer(why, { kind: "addParts", cluster, parts: [part] });
  offer("Next:", { kind: "audit", cluster }, { kind: "doctor", cluster });
}

async function consent(
  io: Io,
  name: string,
  preview: Preview,
  options: AddOptions,
): Promise<boolean> {
  writeLine(
    io.stderr,
    `${preview.rotates ? "Rotate the credentials of" : "Register"} ${name}: ` +
      `${plain(preview.server)}${preview.version === null ? "" : ` (${preview.version})`}`,
  );
  const isShown = options.yes !== true || options.verbose === true;
  if (preview.objects.length > 0)
    writeLine(
      io.stderr,
      isShown
        ? `This will be applied:\n${manifestText(preview.objects).trimEnd()}`
        : `Applying ${count(preview.objects.length, "object")} (--print shows them)`,
    );
  if (options.yes === true) return true;
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({
    input: io.stdin as typeof process.stdin,
    output: io.stderr,
    message:
      preview.objects.length > 0
        ? "Apply this, and store the credentials?"
        : "Store the credentials?",
  });
  return !isCancel(answer) && answer;
}
