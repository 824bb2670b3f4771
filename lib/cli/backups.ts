/** `certkeep backups`, and its commands `verify` and `retire`. */
import { parseMs } from "../certificate/time.ts";
import { Command } from "commander";
import { composeSettings } from "../wiring/settings.ts";
import { problemText } from "../report/phrases/plan.ts";
import { count, span, tableLines } from "../report/text.ts";
import { pick } from "../pick.ts";
import { plain } from "../plain.ts";
import { isSound, listBackups, type BackupsReport, type ListedCopy } from "../usecases/backups.ts";
import { importCommand } from "./backups/import.ts";
import { rekeyCommand } from "./backups/rekey.ts";
import { retireCopy } from "../usecases/drill/retire.ts";
import { problemsData, tell, type Io } from "./io.ts";
import {
  configWorld,
  createProgress,
  DOCUMENT,
  PATTERNS,
  present,
  roomFor,
  TABLE,
  withCommon,
  withNamespace,
  type CommonOptions,
} from "./options.ts";

const SCHEMA = "certkeep.backups/v1";
const RETIRE_SCHEMA = "certkeep.retire/v1";

export function backupsCommand(io: Io): Command {
  const command = withNamespace(
    new Command("backups")
      .description("List encrypted backups, or manage them")
      .usage("[command] [options] [pattern...]")
      .argument("[pattern...]", PATTERNS),
    "List only this namespace's backups",
  );
  withCommon(command, TABLE)
    .addHelpText(
      "after",
      `
Examples:
  certkeep backups 'shop.*'
  certkeep backups verify`,
    )
    .action(async (patterns: string[], options: CommonOptions) => {
      await show(io, patterns, options, (copies) => listText(copies, io));
    });
  const verify = new Command("verify")
    .description("Check the digest of every backup")
    .argument("[pattern...]", PATTERNS);
  command.addCommand(
    withCommon(withNamespace(verify, "Check only this namespace's backups"), DOCUMENT)
      .addHelpText("after", "\nExample:\n  certkeep backups verify")
      .action(async (patterns: string[], _options: CommonOptions, self: Command) => {
        const copies = await show(io, patterns, self.optsWithGlobals(), verifyText);
        if (copies.some((copy) => !isSound(copy))) io.exit(1);
      })
      .copyInheritedSettings(command),
  );
  for (const more of [retireCommand(io), importCommand(io), rekeyCommand(io)])
    command.addCommand(more.copyInheritedSettings(command));
  return command;
}

async function show(
  io: Io,
  patterns: readonly string[],
  options: CommonOptions,
  text: (copies: readonly ListedCopy[]) => string,
): Promise<readonly ListedCopy[]> {
  const progress = createProgress(io);
  const { stores } = await composeSettings({
    ...configWorld(io, options),
    reach: "none",
  });
  const report = await listBackups({ ...stores, progress }, patterns, options.namespace);
  progress.done();
  present(io, options, {
    schema: SCHEMA,
    document: () => document(report),
    text: () => text(report.copies),
  });
  for (const problem of report.problems) tell(io, problem);
  return report.copies;
}

function document(report: BackupsReport): object {
  return {
    copies: report.copies.map((copy) => ({
      ...pick(copy, "key", "version", "sizeBytes", "record", "problem", "header"),
      sound: isSound(copy),
    })),
    problems: problemsData(report.problems),
  };
}

function listText(copies: readonly ListedCopy[], io: Io): string {
  if (copies.length === 0)
    return "No backups yet. Create a key, then audit:\n  certkeep init\n  certkeep audit";
  const several = new Set(copies.map(({ cluster }) => cluster)).size > 1;
  const room = roomFor(io);
  const rows = copies.map((copy) => {
    const { header } = copy;
    const version = copy.version.slice(0, 8);
    const where = several ? [copy.cluster] : [];
    if (header === null) {
      const unread = copy.problem?.code === "unreadable" || copy.problem?.code === "unreachable";
      return [unread ? "UNREADABLE" : "DAMAGED", "", version, copy.key, ...where];
    }
    const left = header.notAfter === null ? "" : leftText(header.notAfter, io.nowMs());
    const what =
      header.kind === "account-key"
        ? "ACME account key"
        : namesText(header.names, room) +
          (header.kind === "certificate" ? "" : ` (${header.kind})`);
    return [what, left, version, `${header.namespace}/${header.secret}`, ...where];
  });
  return [
    ...tableLines(
      ["NAME", "EXPIRES IN", "VERSION", "SECRET", ...(several ? ["CLUSTER"] : [])],
      rows,
      room,
    ),
    "",
    count(copies.length, "backup"),
  ].join("\n");
}

/** All names where there is room for any number, else the first. */
function namesText(names: readonly string[], room: number): string {
  const [first = "", ...others] = names;
  if (others.length === 0 || room === Infinity) return names.join(", ");
  return `${first} and ${others.length} more`;
}

function leftText(notAfter: string, nowMs: number): string {
  const ms = parseMs(notAfter) - nowMs;
  return ms < 0 ? `expired ${span(ms)} ago` : span(ms);
}

function verifyText(copies: readonly ListedCopy[]): string {
  const bad = copies.filter((copy) => !isSound(copy));
  const unrecorded = copies.filter((copy) => copy.record === "unrecorded").length;
  const lines = bad.map(({ key, problem }) => {
    const why =
      problem === null ? "its digest isn't the one that an audit recorded" : problemText(problem);
    return plain(`${key}: ${why}`);
  });
  const counts = [
    `${count(copies.length, "backup")}: ${copies.length - bad.length} OK`,
    ...(bad.length === 0 ? [] : [`${bad.length} damaged`]),
    ...(unrecorded === 0 ? [] : [`${unrecorded} that no audit recorded`]),
  ];
  return [
    counts.join(", "),
    ...lines.map((line) => `  ${line}`),
    ...(bad.length === 0
      ? []
      : ["Move damaged backups away. The next audit backs up again what is still valid."]),
  ].join("\n");
}

function retireCommand(io: Io): Command {
  const command = new Command("retire")
    .description("Mark a backup that must never be restored again")
    .argument("<version>", "Version of the backup; its first digits are enough")
    .requiredOption("--reason <text>", "Record why")
    .option("--purge", "Remove it from the store too");
  return withCommon(command, DOCUMENT)
    .addHelpText("after", '\nExample:\n  certkeep backups retire 09ac2a96 --reason "key leaked"')
    .action(async (version: string, _options: CommonOptions, self: Command) => {
      const options = self.optsWithGlobals<
        CommonOptions & { readonly reason: string; readonly purge?: boolean }
      >();
      const { stores } = await composeSettings({ ...configWorld(io, options), reach: "none" });
      const retired = await retireCopy(version, options.reason, options.purge === true, {
        ...stores,
        clock: { nowMs: io.nowMs },
      });
      const names = retired.names.length === 0 ? "" : ` (${retired.names.join(", ")})`;
      present(io, options, {
        schema: RETIRE_SCHEMA,
        document: () => retired,
        text: () =>
          plain(`Retired ${retired.version.slice(0, 12)}${names}: it is never restored again`) +
          (retired.purgeNote === null
            ? "\nIt is still in the store; --purge removes it"
            : `\n${plain(`Purged: ${retired.purgeNote}`)}`),
      });
    });
}
