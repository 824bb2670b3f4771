/**
 * The questions of `certkeep init`, asked on standard error, so that standard output stays a
 * document's.
 */
import { confirm, isCancel, multiselect, password, select, text } from "@clack/prompts";
import { basename, dirname, isAbsolute, join } from "node:path";
import { fromHome, homeOf, shortPath } from "../wiring/path.ts";
import { CertkeepError, type ErrorParts } from "../error.ts";
import { plain } from "../plain.ts";
import type { ApprovalQuestion } from "../wiring/config.ts";
import type { InitQuestions } from "../usecases/init.ts";
import type { CloudQuestions } from "../usecases/initcloud.ts";
import type { Io } from "./io.ts";

const SHOWN_CONTEXTS = 12;

interface Streams {
  readonly input: Io["stdin"];
  readonly output: Io["stderr"];
}

export function createQuestions(
  io: Io,
): InitQuestions & CloudQuestions & { passphrase(where: string): Promise<string | null> } {
  const streams = { input: io.stdin, output: io.stderr };
  const home = homeOf(io.env);
  return {
    ...initQuestions(io, streams),
    ...cloudQuestions(streams),
    async passphrase(where) {
      const shown = plain(shortPath(where, home));
      const answer = await password({ ...streams, message: `Passphrase of ${shown}` });
      return answered(answer, {
        where: shown,
        found: "no passphrase was given",
        todo: "Nothing was changed; run it again at any time",
      });
    },
  };
}

function initQuestions(io: Io, streams: Streams): InitQuestions {
  const home = homeOf(io.env);
  const shown = (path: string): string => plain(shortPath(path, home));
  return {
    async configPlace(choices) {
      return answered(
        await select({
          ...streams,
          message: "Where should certkeep.yaml go?",
          options: choices.map((path) =>
            dirname(path) === io.cwd
              ? {
                  value: path,
                  label: "this folder",
                  hint: "for a project; found from here and below",
                }
              : { value: path, label: shown(path), hint: "for you; found from anywhere" },
          ),
        }),
      );
    },
    async contexts(choices) {
      return answered(
        await multiselect({
          ...streams,
          message: "Which clusters should be audited? (contexts of your kubeconfig)",
          options: choices.map(({ name, current }) => ({
            value: name,
            label: plain(name),
            ...(current ? { hint: "current" } : {}),
          })),
          initialValues: choices.filter(({ current }) => current).map(({ name }) => name),
          required: false,
          maxItems: SHOWN_CONTEXTS,
        }),
      );
    },
    identityPlace: (suggested) => askIdentityPlace(suggested, io, streams),
    async addRecipient(file, recipient) {
      return answered(
        await confirm({
          ...streams,
          message:
            `${shown(file)} names no recipients, so nothing is backed up. Add ${recipient} to ` +
            "it? Nothing else in it changes.",
        }),
      );
    },
  };
}

async function askIdentityPlace(suggested: string, io: Io, streams: Streams): Promise<string> {
  const home = homeOf(io.env);
  const usual =
    suggested === ""
      ? {}
      : { placeholder: shortPath(suggested, home), defaultValue: shortPath(suggested, home) };
  const typed = answered(
    await text({
      ...streams,
      ...usual,
      message:
        "Where should the identity be saved? It decrypts every backup; choose a path outside " +
        "any git work tree",
      validate: (value) =>
        suggested === "" && (value ?? "").trim() === "" ? "Name a file" : undefined,
    }),
  );
  const path = fromHome(typed.trim(), home);
  return isAbsolute(path) ? path : join(io.cwd, path);
}

function cloudQuestions(streams: Streams): CloudQuestions {
  return {
    async webhook(check) {
      const typed = answered(
        await password({
          ...streams,
          message:
            "URL of the Slack webhook that digests are posted to (typing is hidden; leave it " +
            "empty to set it later)",
          validate: (value) => {
            const given = (value ?? "").trim();
            const problem = given === "" ? null : check(given);
            return problem === null ? undefined : `That is ${problem}`;
          },
        }),
      );
      return (typed ?? "").trim() === "" ? null : typed.trim();
    },
    async identity() {
      return answered(
        await confirm({
          ...streams,
          initialValue: false,
          message:
            "Store the identity in Secrets Manager too, so that functions can restore and " +
            "drill? It decrypts every backup. Without it there, both run from your machine.",
        }),
      );
    },
  };
}

/**
 * Whether a configuration that was only found may be used. Read first, approve then: the safe
 * answer is no.
 */
export async function askApproval(
  io: Io,
  { config, isNew, doubts }: ApprovalQuestion,
): Promise<boolean> {
  const shown = plain(shortPath(config, homeOf(io.env)));
  const isEdited = doubts.length === 1 && doubts[0] === `${plain(basename(config))} (changed)`;
  const what = isNew
    ? `${shown} isn't approved. It decides which programs run, who can decrypt backups, and ` +
      "where data is sent."
    : isEdited
      ? `${shown} changed since you approved it.`
      : `${shown} isn't as you approved it: ${doubts.join(", ")}.`;
  const question = isEdited
    ? "Use it as it is now?"
    : "Did you read it, and should it be used from now on?";
  const answer = await confirm({
    input: io.stdin,
    output: io.stderr,
    initialValue: false,
    message: `${what} ${question}`,
  });
  return !isCancel(answer) && answer;
}

const INIT_CANCELLED: ErrorParts = {
  where: "certkeep init",
  found: "cancelled",
  todo: "Nothing was replaced; run it again at any time",
};

function answered<T>(answer: T, cancelled = INIT_CANCELLED): Exclude<T, symbol> {
  if (isCancel(answer)) throw new CertkeepError("usage", cancelled);
  return answer as Exclude<T, symbol>;
}
