/** `certkeep clusters add NAME` */
import { Command, InvalidArgumentError, Option } from "commander";
import { insideObjects } from "../../rbac/inside.ts";
import { accessName, accessObjects, manifestText, type Subject } from "../../rbac/manifest.ts";
import { insidePolicy } from "../../rbac/policy.ts";
import type { AccessPlan } from "../../rbac/rules.ts";
import { PARTS, type AccessKind, type Part } from "../../rbac/table.ts";
import { composeExisting, composeRegister, refuseSharedRole } from "../../wiring/register.ts";
import { personalAccess } from "../../wiring/connect.ts";
import type { ClusterEntry, EksAccess, SecretRef } from "../../config/cluster.ts";
import type { Config } from "../../config/schema.ts";
import { BACKUP_STORE, LABEL, REGION, SECRET_REF, STATE_STORE } from "../../config/form.ts";
import { registryNames, secretReference } from "../../config/registered.ts";
import { registrationText } from "../../config/registration.ts";
import { CertkeepError } from "../../error.ts";
import { partLines, registeredLines } from "../../report/clusters.ts";
import { plain } from "../../plain.ts";
import { runRegister } from "../../usecases/register.ts";
import type { Preview } from "../../usecases/register/context.ts";
import { write, writeJson, writeLine, type Io } from "../io.ts";
import { configWorld, withCommon, type CommonOptions } from "../options.ts";

interface Options extends CommonOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: readonly string[];
  readonly allNamespaces?: boolean;
  readonly byName?: boolean;
  readonly secret?: readonly SecretRef[];
  readonly parts?: readonly Part[];
  readonly kind?: "token" | "token-secret" | "eks";
  readonly credential?: string;
  readonly restoreCredential?: string;
  readonly eksCluster?: string;
  readonly region?: string;
  readonly role?: string;
  readonly restoreRole?: string;
  readonly days: number;
  readonly onDemand?: boolean;
  readonly apply: boolean;
  readonly allowBroad?: boolean;
  readonly rebuilt?: boolean;
  readonly print?: true | "registration" | "policy";
  readonly inCluster?: boolean;
  readonly image?: string;
  readonly schedule: string;
  readonly backups?: string;
  readonly state?: string;
  readonly yes?: boolean;
}

const ADDED_SCHEMA = "certkeep.cluster-added/v1";
const PRINTED_SCHEMA = "certkeep.access/v1";
/** What a first registration has: diagnosis too, since without it causes stay unknown. */
const DEFAULT_PARTS: readonly Part[] = ["secrets", "parents", "diagnosis"];
const DEFAULT_NAMESPACE = "tailscale";
/** A year, so that a yearly chore renews it. */
const DEFAULT_DAYS = 365;

const EXAMPLES = `
Running it again rotates the credentials and repairs the permissions. What is left out is taken from the
registration that is there; for a new one: namespace tailscale, parts secrets, parents and diagnosis.

Examples:
  certkeep clusters add prod --context prod-admin
  certkeep clusters add prod --context prod-admin --namespace tailscale --namespace shop --parts secrets,parents,diagnosis,restore
  certkeep clusters add prod --context prod-admin --by-name --secret tailscale/operator --secret shop/web-tls
  certkeep clusters add prod --print | kubectl apply -f -        then: certkeep clusters add prod --no-apply --yes
  certkeep clusters add prod --kind eks --eks-cluster prod --region eu-west-1 --role arn:aws:iam::123456789012:role/certkeep-prod-read
  certkeep clusters add prod --credential prod-reader.kubeconfig   a client certificate or token of your own
  certkeep clusters add lab --in-cluster --image REGISTRY/certkeep:TAG > audit-from-inside.yaml
  certkeep clusters add prod --rebuilt --context prod-admin        the cluster was built anew under its name`;

export function addCommand(io: Io): Command {
  return withCommon(
    new Command("add")
      .description(
        "registers a cluster with credentials that can do what certkeep needs and nothing more",
      )
      .argument("<name>", "what you call it: small letters, digits and -"),
  )
    .option(
      "--kubeconfig <file>",
      "kubeconfig of an administrator; default: what kubectl would take",
    )
    .option("--context <context>", "context of an administrator; default: the current one")
    .option(
      "--namespace <namespace>",
      "a namespace to audit; may be given several times",
      each(namespaceOf),
    )
    .option("--all-namespaces", "audit every namespace: needs list and get on Secrets everywhere")
    .option("--by-name", "get the named Secrets alone; nothing is listed")
    .option(
      "--secret <namespace/name>",
      "a Secret to read by name; may be given several times",
      each(secretOf),
    )
    .option(
      "--parts <parts>",
      `parts of the permissions, by comma or one by one: ${PARTS.join(", ")}`,
      partsOf,
    )
    .addOption(
      new Option("--kind <kind>", "kind of credential to make").choices([
        "token",
        "token-secret",
        "eks",
      ]),
    )
    .option(
      "--credential <file>",
      "kubeconfig with a reading credential of your own: a client certificate or a token",
    )
    .option("--restore-credential <file>", "kubeconfig with a restoring credential of your own")
    .option("--eks-cluster <name>", "name of the EKS cluster, for --kind eks")
    .option("--region <region>", "its AWS region; with --in-cluster: that of the stores")
    .option(
      "--role <arn>",
      "IAM role that reads, of this registration alone; with --in-cluster: the one that the pod takes",
    )
    .option("--restore-role <arn>", "IAM role that restores")
    .option(
      "--days <days>",
      "lifetime of a token to ask for; the server may grant less",
      daysOf,
      DEFAULT_DAYS,
    )
    .option("--on-demand", "nothing audits this cluster by itself: a token that ends soon will do")
    .option("--no-apply", "the manifest is applied already, by GitOps or an administrator")
    .option("--allow-broad", "accept a credential that can do more than it should")
    .option(
      "--rebuilt",
      "the cluster was built anew under this name: take the one that answers as its successor",
    )
    .option(
      "--print [what]",
      "print the manifest and the registration instead, and ask no cluster; `registration` prints that alone, and `policy` the IAM policy for --in-cluster",
    )
    .option(
      "--in-cluster",
      "print a CronJob that audits from inside the cluster, with its permissions",
    )
    .option("--image <image>", "container image with certkeep, for --in-cluster")
    .option("--schedule <cron>", "when the CronJob runs", "*/15 * * * *")
    .option(
      "--backups <url>",
      "store of copies outside the cluster, for --in-cluster; default: as configured",
    )
    .option(
      "--state <url>",
      "store of states outside the cluster, for --in-cluster; default: as configured",
    )
    .option("-y, --yes", "apply without asking")
    .addHelpText("after", EXAMPLES)
    .action(async (name: string, _options: Options, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      const world = configWorld(io, options);
      if (options.print !== undefined || options.inCluster === true) {
        const { settings, existing } = await composeExisting(world, name);
        if (options.inCluster === true)
          printInside(io, name, planOf(options, existing), options, settings.config);
        else printManifest(io, name, options, existing, settings.config.stores.registry);
        return;
      }
      if (options.yes !== true && !io.interactive)
        throw new CertkeepError("usage", {
          where: `certkeep clusters add ${name}`,
          found: "nobody to ask, since this isn't a terminal",
          expected: "a terminal, or --yes",
          todo: `To see what it would apply: certkeep clusters add ${name} --print`,
        });
      const note = (message: string): void =>
        writeLine(io.stderr, `certkeep: ${message.split("\n").map(plain).join("\n")}`);
      const run = await composeRegister({
        ...world,
        name,
        nowMs: io.nowMs,
        kubeconfig: options.kubeconfig ?? null,
        context: options.context ?? null,
        brought: { read: options.credential ?? null, restore: options.restoreCredential ?? null },
        person: personalAccess(),
        consent: (preview) => consent(io, name, preview, options),
        note,
      });
      try {
        const plan = planOf(options, run.existing);
        const kind = kindOf(options, run.existing, run.ports.brought.read?.kind ?? null);
        const eks = eksOf(options, run.existing, kind);
        refuseSharedRole(name, eks, run);
        const result = await runRegister(
          {
            name,
            kind,
            plan,
            eks,
            tokenDays: options.days,
            onDemand: options.onDemand === true,
            apply: options.apply,
            allowBroad: options.allowBroad === true,
            rebuilt: options.rebuilt === true,
          },
          run.ports,
        );
        for (const line of registeredLines(result, io.nowMs())) writeLine(io.stderr, line);
        if (!plan.parts.includes("diagnosis"))
          writeLine(
            io.stderr,
            `  Without the part diagnosis no cause of a reissue is known. Add it: certkeep clusters add ${name} --parts ${[...plan.parts, "diagnosis"].join(",")}`,
          );
        if (!plan.parts.includes("restore"))
          writeLine(
            io.stderr,
            `  Nothing can be restored with it yet. A restoring credential, stored apart: certkeep clusters add ${name} --parts ${[...plan.parts, "restore"].join(",")}`,
          );
        writeLine(io.stderr, `\nNext: certkeep audit ${name}    certkeep doctor ${name}`);
        if (options.json === true) writeJson(io, ADDED_SCHEMA, result);
      } finally {
        await run.close();
      }
    });
}

async function consent(io: Io, name: string, preview: Preview, options: Options): Promise<boolean> {
  writeLine(
    io.stderr,
    `${preview.rotates ? "Rotates" : "Registers"} ${name} at ${plain(preview.server)}${preview.version === null ? "" : ` (${preview.version})`}.`,
  );
  if (preview.objects.length > 0)
    writeLine(io.stderr, `It applies:\n${manifestText(preview.objects).trimEnd()}`);
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

/** The parts and places that are asked for, over those that the registration has. */
function planOf(options: Options, existing: Omit<ClusterEntry, "name"> | null): AccessPlan {
  const secrets = options.secret ?? existing?.secrets ?? [];
  const byName =
    options.byName === true ||
    (options.namespace === undefined &&
      options.allNamespaces !== true &&
      options.parts === undefined &&
      existing?.namespaces?.length === 0);
  if (
    options.byName === true &&
    (options.namespace !== undefined || options.allNamespaces === true)
  )
    throw new CertkeepError("usage", {
      where: "--by-name",
      found: "namespaces beside it",
      expected: "--secret NAMESPACE/NAME for each Secret",
    });
  if (options.byName === true && secrets.length === 0)
    throw new CertkeepError("usage", {
      where: "--by-name",
      found: "no Secret",
      expected: "--secret NAMESPACE/NAME, once for each",
    });
  const given = options.parts ?? existing?.access?.parts ?? DEFAULT_PARTS;
  const parts = PARTS.filter((part) =>
    part === "secrets"
      ? given.includes(part) && !byName
      : part === "named"
        ? secrets.length > 0 || byName
        : given.includes(part),
  );
  if (!parts.includes("secrets") && !parts.includes("named"))
    throw new CertkeepError("usage", {
      where: "--parts",
      found: "neither secrets nor a --secret",
      expected: "one of the two: nothing could be read",
    });
  return { parts, namespaces: byName ? [] : namespacesOf(options, existing), secrets };
}

function namespacesOf(
  options: Options,
  existing: Omit<ClusterEntry, "name"> | null,
): readonly string[] | null {
  if (options.allNamespaces === true) return null;
  const wanted =
    options.namespace ?? (existing === null ? [DEFAULT_NAMESPACE] : existing.namespaces);
  const pattern = wanted?.find((namespace) => namespace.includes("*"));
  if (pattern !== undefined)
    throw new CertkeepError("usage", {
      where: `namespace ${pattern}`,
      found: "a pattern, which RBAC doesn't know",
      expected: "each namespace by its name, or --all-namespaces",
    });
  return wanted;
}

function kindOf(
  options: Options,
  existing: Omit<ClusterEntry, "name"> | null,
  brought: "token" | "pair" | "none" | null,
): AccessKind {
  if (brought !== null) return brought === "pair" ? "certificate" : "kubeconfig";
  const kind = options.kind ?? existing?.access?.kind ?? "token";
  if (kind === "certificate" || kind === "kubeconfig")
    throw new CertkeepError("usage", {
      where: "--credential",
      found: "none",
      expected: `the new credential, since this registration is of the kind ${kind}`,
      todo: "Or let certkeep make one: --kind token",
    });
  return kind;
}

function eksOf(
  options: Options,
  existing: Omit<ClusterEntry, "name"> | null,
  kind: AccessKind,
): EksAccess | null {
  if (kind !== "eks") return null;
  const cluster = options.eksCluster ?? existing?.eks?.cluster;
  const region = options.region ?? existing?.eks?.region;
  const role = options.role ?? existing?.eks?.role;
  if (cluster === undefined || region === undefined || role === undefined)
    throw new CertkeepError("usage", {
      where: "--kind eks",
      found: "too little",
      expected: "--eks-cluster NAME, --region REGION and --role ARN",
    });
  return {
    cluster,
    region,
    role,
    restoreRole: options.restoreRole ?? existing?.eks?.restoreRole ?? null,
  };
}

function printManifest(
  io: Io,
  name: string,
  options: Options,
  existing: Omit<ClusterEntry, "name"> | null,
  registry: string | null,
): void {
  const plan = planOf(options, existing);
  if (options.credential !== undefined)
    throw new CertkeepError("usage", {
      where: "--print",
      found: "--credential beside it",
      expected:
        "a kind of credential that certkeep makes, since only the server can tell whom a credential names",
    });
  const kind = kindOf(options, existing, null);
  const eks = eksOf(options, existing, kind);
  const subject: Subject =
    kind === "eks"
      ? {
          kind: "Group",
          names: {
            read: accessName(name, "read"),
            restore: eks?.restoreRole == null ? null : accessName(name, "restore"),
          },
        }
      : { kind: "ServiceAccount" };
  const objects = accessObjects(name, plan, subject);
  const restores = objects.some(({ metadata }) => metadata.name === accessName(name, "restore"));
  const secrets = registry === null ? null : registryNames(registry);
  const file = secrets === null ? `clusters/${name}.yaml` : secretReference(secrets.cluster(name));
  const kubeconfig = secrets === null ? `${name}.read.kubeconfig` : null;
  const restoreKubeconfig =
    secrets === null ? `${name}.restore.kubeconfig` : secretReference(secrets.restoring(name));
  const registration =
    registrationText(null, {
      kubeconfig,
      restoreKubeconfig: restores ? restoreKubeconfig : null,
      plan,
      eks,
      access: { kind, parts: plan.parts, since: null, broad: false },
      schema: null,
    }) ?? "";
  if (options.json === true)
    writeJson(io, PRINTED_SCHEMA, {
      manifest: objects,
      registration: { file, text: registration },
    });
  else if (options.print === "registration") write(io.stdout, registration);
  else {
    write(io.stdout, manifestText(objects));
    write(
      io.stdout,
      `# The registration, ${file} (alone: certkeep clusters add ${name} --print registration):\n${registration
        .trimEnd()
        .split("\n")
        .map((line) => `# ${line}`.trimEnd())
        .join("\n")}\n`,
    );
  }
  for (const line of partLines(plan.parts, PARTS)) writeLine(io.stderr, line);
}

function printInside(
  io: Io,
  name: string,
  plan: AccessPlan,
  options: Options,
  config: Pick<Config, "recipients" | "stores" | "aws">,
): void {
  const expect = (
    where: string,
    value: string | null | undefined,
    form: RegExp,
    expected: string,
  ): string => {
    if (value === null || value === undefined || value.startsWith("file:"))
      throw new CertkeepError("usage", {
        where,
        found: value == null ? "nothing" : "a folder of this machine, which the cluster hasn't",
        expected,
      });
    if (!form.test(value))
      throw new CertkeepError("usage", {
        where,
        found: "a URL of no store that there is",
        expected,
      });
    return value;
  };
  if (
    options.role !== undefined &&
    !/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(options.role)
  )
    throw new CertkeepError("usage", {
      where: "--role",
      found: "no ARN of an IAM role",
      expected: "arn:aws:iam::ACCOUNT:role/NAME",
    });
  if (options.region !== undefined && !REGION.test(options.region))
    throw new CertkeepError("usage", {
      where: "--region",
      found: plain(options.region.slice(0, 60)),
      expected: "an AWS region, such as eu-west-1",
    });
  const image = options.print === "policy" ? "" : options.image;
  if (image === undefined)
    throw new CertkeepError("usage", {
      where: "--image",
      found: "none",
      expected:
        "an image with certkeep that the cluster can pull (docs/clusters.md says how to build one)",
    });
  if (config.recipients.length === 0)
    throw new CertkeepError("usage", {
      where: "recipients",
      found: "none in certkeep.yaml",
      expected: "whom the copies are sealed for",
      todo: "certkeep init",
    });
  const stores = {
    backups: expect(
      "--backups",
      options.backups ?? config.stores.backups,
      BACKUP_STORE,
      "a store outside the cluster, such as s3://BUCKET/backups",
    ),
    state: expect(
      "--state",
      options.state ?? config.stores.state,
      STATE_STORE,
      "a store outside the cluster, such as s3://BUCKET/state",
    ),
  };
  if (stores.backups.startsWith("secretsmanager:")) {
    throw new CertkeepError("usage", {
      where: "--backups",
      found:
        "copies in Secrets Manager, where listing can't be narrowed: a pod of one cluster could see the names of every cluster's",
      expected: "S3, where a role for one cluster's prefix can be made",
      todo: "Keep this cluster's copies in a bucket: --backups s3://BUCKET/backups",
    });
  }
  const region = options.region ?? config.aws?.region ?? null;
  const policy = insidePolicy(name, stores, region);
  const objects = insideObjects(name, plan, {
    image,
    schedule: options.schedule,
    recipients: config.recipients,
    ...stores,
    region,
    role: options.role ?? null,
  });
  const text = policy === null ? "" : `${JSON.stringify(policy, null, 2)}\n`;
  if (options.json === true)
    writeJson(io, PRINTED_SCHEMA, { manifest: objects, registration: null, policy });
  else if (options.print === "policy") write(io.stdout, text);
  else {
    write(io.stdout, manifestText(objects));
    if (policy !== null)
      write(
        io.stdout,
        `# The IAM policy of the role that the pod needs, for this cluster alone (by itself: --in-cluster --print policy):\n${text
          .trimEnd()
          .split("\n")
          .map((line) => `# ${line}`)
          .join("\n")}\n`,
      );
  }
}

function each<T>(
  parse: (text: string) => T,
): (text: string, before: readonly T[] | undefined) => readonly T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

function namespaceOf(text: string): string {
  if (!LABEL.test(text) && !text.includes("*"))
    throw new InvalidArgumentError("Expected a namespace: small letters, digits and -.");
  return text;
}

function secretOf(text: string): SecretRef {
  if (!SECRET_REF.test(text)) throw new InvalidArgumentError("Expected NAMESPACE/NAME.");
  const [namespace = "", name = ""] = text.split("/");
  return { namespace, name };
}

/** May be given several times: a command that is offered for pasting holds no comma. */
function partsOf(text: string, before: readonly Part[] = []): readonly Part[] {
  const wanted = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const unknown = wanted.find((part) => !PARTS.includes(part as Part));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`${plain(unknown)} is none; there are: ${PARTS.join(", ")}.`);
  return [...before, ...(wanted as Part[])];
}

function daysOf(text: string): number {
  const days = Number(text);
  if (!Number.isInteger(days) || days < 1 || days > 3650)
    throw new InvalidArgumentError("Expected a whole number of days from 1 to 3650.");
  return days;
}
