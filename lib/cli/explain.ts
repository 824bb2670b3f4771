/** `certkeep explain NAME` */
import { Command, InvalidArgumentError, Option } from "commander";
import { composeReport } from "../wiring/digest.ts";
import { CertkeepError } from "../error.ts";
import { MAX_PLANNED } from "../ratelimit/plan.ts";
import { explainText } from "../report/explain.ts";
import { explainName } from "../usecases/explain.ts";
import { EXPLAIN_SCHEMA, explainDocument } from "../usecases/explain/document.ts";
import { tell, type Io } from "./io.ts";
import {
  present,
  TABLE,
  withAt,
  withCommon,
  withNamespace,
  worldOf,
  type CommonOptions,
} from "./options.ts";

type Options = CommonOptions & { readonly plan?: number };

/** With `-n`, a name without a namespace is that of a Secret there. */
function secretOf(name: string, { namespace }: CommonOptions): string {
  if (namespace === undefined || name.startsWith(`${namespace}/`)) return name;
  if (!name.includes("/")) return `${namespace}/${name}`;
  throw new CertkeepError("usage", {
    where: `certkeep explain ${name}`,
    found: `it is in another namespace than -n ${namespace}`,
    todo: "Leave out -n",
  });
}

function parsePlan(text: string): number {
  const n = /^\d+$/.test(text) ? Number(text) : 0;
  if (n < 1 || n > MAX_PLANNED)
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${MAX_PLANNED}.`);
  return n;
}

export function explainCommand(io: Io): Command {
  const command = new Command("explain")
    .description("Explain one name: status, cause, limits, backups, fix")
    .argument("<name>", "A domain, NAMESPACE/SECRET, tailnet, cluster, or finding")
    .addOption(
      new Option(
        "--plan <n>",
        "Show when n more certificates for the name could be issued",
      ).argParser(parsePlan),
    );
  return withCommon(withNamespace(withAt(command), "Look for the Secret NAME here"), TABLE)
    .addHelpText(
      "after",
      `
Examples:
  certkeep explain shop.tail1a2b3.ts.net
  certkeep explain tail1a2b3.ts.net --plan 80`,
    )
    .action(async (name: string, options: Options) => {
      const { config, ports } = await composeReport(worldOf(io, options));
      const { issuance, restore, via } = ports;
      const explanation = await explainName(
        { ...ports, ...issuance },
        {
          name: secretOf(name, options),
          plan: options.plan ?? null,
          ignore: config.ignore,
          restore: restore ?? null,
          via: via ?? null,
        },
      );
      present(io, options, {
        schema: EXPLAIN_SCHEMA,
        document: () => explainDocument(explanation),
        text: (page) => explainText(explanation, page),
      });
      for (const problem of explanation.problems) tell(io, problem);
    });
}
