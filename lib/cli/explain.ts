/** `certkeep explain NAME` */
import { Command, InvalidArgumentError, Option } from "commander";
import { composeExplain } from "../wiring/explain.ts";
import { restoreFunctionOf } from "../finding/action.ts";
import { MAX_PLANNED } from "../ratelimit/plan.ts";
import { explainText } from "../report/explain.ts";
import { explainName } from "../usecases/explain.ts";
import { EXPLAIN_SCHEMA, explainDocument } from "../usecases/explain/document.ts";
import { tell, writeJson, writeLine, type Io } from "./io.ts";
import {
  configWorld,
  styleFor,
  widthFor,
  withAt,
  withCommon,
  type AtOption,
  type CommonOptions,
} from "./options.ts";

type Options = CommonOptions & AtOption & { readonly plan?: number };

function parsePlan(text: string): number {
  const n = /^\d+$/.test(text) ? Number(text) : 0;
  if (n < 1 || n > MAX_PLANNED)
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${MAX_PLANNED}.`);
  return n;
}

export function explainCommand(io: Io): Command {
  return withAt(
    withCommon(
      new Command("explain")
        .description(
          "all that is known of one name: verdict, issuances, what is left, backups, what to do",
        )
        .argument(
          "<name>",
          "a domain, NAMESPACE/SECRET, a registered domain (a tailnet), a cluster, or a finding",
        ),
    ),
  )
    .addOption(
      new Option(
        "--plan <n>",
        "when n more certificates of this set, or n new names under this domain, could be " +
          "issued one by one",
      ).argParser(parsePlan),
    )
    .addHelpText(
      "after",
      "\n" +
        "Examples:\n" +
        "  certkeep explain shop.tail1a2b3.ts.net\n" +
        "  certkeep explain tail1a2b3.ts.net --plan 80   before a migration: when could 80 new " +
        "names be had?\n" +
        "  certkeep explain tailscale/shop --json\n" +
        "  certkeep explain set_budget_exhausted",
    )
    .action(async (name: string, options: Options) => {
      const { config, ports } = await composeExplain({
        ...configWorld(io, options),
        nowMs: io.nowMs,
        atMs: options.at ?? null,
      });
      const explanation = await explainName(ports, {
        name,
        plan: options.plan ?? null,
        ignore: config.ignore,
        restore: restoreFunctionOf(config.aws),
      });
      if (options.json === true) writeJson(io, EXPLAIN_SCHEMA, explainDocument(explanation));
      else
        writeLine(
          io.stdout,
          explainText(explanation, { width: widthFor(io), style: styleFor(io, options) }),
        );
      for (const problem of explanation.problems) tell(io, problem);
    });
}
