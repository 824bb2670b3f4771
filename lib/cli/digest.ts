/** `certkeep digest`: posts what is due, or shows what Slack would get. */
import { Command } from "commander";
import { composeDigest } from "../wiring/digest.ts";
import { CertkeepError } from "../error.ts";
import type { RouteSettings } from "../report/digest.ts";
import { digestText } from "../report/digest/text.ts";
import { slackMessage } from "../report/slack/blocks.ts";
import { count } from "../report/text.ts";
import { previewDigest, runDigest, type DigestInputs } from "../usecases/digest.ts";
import type { RouteOutcome } from "../usecases/digest/deliver.ts";
import { surveyStates } from "../usecases/report.ts";
import { tell, type Io } from "./io.ts";
import { DOCUMENT, present, withAt, withCommon, worldOf, type CommonOptions } from "./options.ts";

const SCHEMA = "certkeep.digest/v1";

type Options = CommonOptions & { readonly dryRun?: boolean };

/** Shown by a dry run where no route is configured. */
const PREVIEW: RouteSettings = { name: "preview", clusters: null, severity: "info" };

export function digestCommand(io: Io): Command {
  const command = new Command("digest")
    .description("Post to Slack what changed and what needs action")
    .option("--dry-run", "Show what Slack would get; post and write nothing");
  return withCommon(withAt(command), DOCUMENT)
    .addHelpText(
      "after",
      `
Run it every few minutes. It posts at once when something is critical, else once
a day, and once a week when all is quiet.

Example:
  certkeep digest --dry-run`,
    )
    .action(async (options: Options) => {
      const dry = options.dryRun === true || options.at !== undefined;
      const composed = await composeDigest(worldOf(io, options), !dry);
      if (!dry && composed.routes.length === 0) {
        throw new CertkeepError("usage", {
          where: "certkeep.yaml, digest.routes",
          found: "there is no route to post to",
          todo:
            "Add one with a name and a webhook. To see what would be posted: " +
            "certkeep digest --dry-run",
        });
      }
      const overview = await surveyStates(composed.ports, composed.scope);
      const inputs: DigestInputs = { ...overview, settings: composed.settings };
      for (const problem of overview.problems) tell(io, problem);
      if (dry) await preview(io, options, composed, inputs);
      else {
        const outcomes = await runDigest(composed.digestPorts, inputs, composed.routes);
        for (const { failure } of outcomes) if (failure !== null) tell(io, failure);
        present(io, options, {
          schema: SCHEMA,
          document: () => ({
            routes: outcomes.map(({ failure, ...rest }) => ({
              ...rest,
              failure: failure === null ? null : { code: failure.code, message: failure.message },
            })),
          }),
          text: () => outcomes.map(outcomeText).join("\n"),
        });
      }
    });
}

function outcomeText({ name, delivered, waiting }: RouteOutcome): string {
  const parts = [
    ...(delivered === 0 ? [] : [`${count(delivered, "digest")} posted`]),
    ...(waiting === 0 ? [] : [`${count(waiting, "digest")} waiting to be delivered`]),
  ];
  return `${name}: ${parts.length === 0 ? "nothing is due" : parts.join(", ")}.`;
}

async function preview(
  io: Io,
  options: Options,
  composed: Awaited<ReturnType<typeof composeDigest>>,
  inputs: DigestInputs,
): Promise<void> {
  const previews = await previewDigest(
    composed.digestPorts,
    inputs,
    composed.routes.length === 0 ? [PREVIEW] : composed.routes,
  );
  const isNamed = previews.length > 1 || composed.routes.length > 0;
  present(io, options, {
    schema: SCHEMA,
    document: () => ({
      routes: previews.map(({ route, plan, due }) => ({
        name: route.name,
        due,
        ...(plan.message === null ? { text: "", blocks: [] } : slackMessage(plan.message)),
      })),
    }),
    text: (page) =>
      previews
        .map(({ route, plan, due }) => {
          const when = due ? "due now" : "nothing is due now; a digest at this moment would say";
          const head = page.style.dim(`[${isNamed ? `${route.name}: ` : ""}${when}]`);
          return plan.message === null ? head : `${head}\n${digestText(plan.message, page)}`;
        })
        .join("\n\n"),
  });
}
