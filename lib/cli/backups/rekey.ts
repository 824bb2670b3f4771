/** `certkeep backups rekey` */
import { Command } from "commander";
import { composeMove, composeRekey } from "../../wiring/backups.ts";
import { plain } from "../../plain.ts";
import { count } from "../../report/text.ts";
import { moveCopies, type MovedCopy, type MovePorts } from "../../usecases/move.ts";
import { runRekey, type RekeyReport } from "../../usecases/rekey.ts";
import { problemsData, tell, type Io } from "../io.ts";
import {
  DOCUMENT,
  IDENTITY,
  PATTERNS,
  present,
  withCommon,
  worldOf,
  type CommonOptions,
} from "../options.ts";

const SCHEMA = "certkeep.rekey/v1";
const MOVE_SCHEMA = "certkeep.move/v1";

type Options = CommonOptions & {
  readonly purgeOld?: boolean;
  readonly from?: string;
};

export function rekeyCommand(io: Io): Command {
  const command = new Command("rekey")
    .description("Encrypt backups again for the current recipients")
    .argument("[pattern...]", PATTERNS)
    .option("--identity <file>", IDENTITY)
    .option("--from <store>", "Move the backups from this store, as they are")
    .option("--purge-old", "Remove old versions once the new ones are verified");
  return withCommon(command, DOCUMENT)
    .addHelpText(
      "after",
      `
The recipients are those of certkeep.yaml. Each backup gets a new version, which
is read back and decrypted before the old one is removed. An interrupted run can
be repeated.

Examples:
  certkeep backups rekey --purge-old
  certkeep backups rekey --from secretsmanager://certkeep/prod/backups`,
    )
    .action((patterns: string[], _options: Options, self: Command) =>
      rekey(io, patterns, self.optsWithGlobals<Options>()),
    );
}

async function rekey(io: Io, patterns: string[], options: Options): Promise<void> {
  const { from, purgeOld = false } = options;
  if (from !== undefined) return move(io, patterns, from, options);
  const world = worldOf(io, options);
  const report = await runRekey(await composeRekey(world), patterns, purgeOld);
  world.progress.done();
  present(io, options, {
    schema: SCHEMA,
    document: () => ({ copies: report.copies, problems: problemsData(report.problems) }),
    text: () => rekeyText(report, purgeOld),
  });
  for (const problem of report.problems) tell(io, problem);
  if (
    report.copies.some(
      ({ outcome, old }) => outcome === "failed" || old === "kept" || old === "hidden",
    )
  )
    io.exit(3);
}

async function move(
  io: Io,
  patterns: readonly string[],
  from: string,
  options: Options,
): Promise<void> {
  const { purgeOld = false } = options;
  const world = worldOf(io, options);
  const ports = await composeMove(world, from);
  const copies = await moveCopies(ports, patterns, purgeOld);
  world.progress.done();
  present(io, options, {
    schema: MOVE_SCHEMA,
    document: () => ({ from: ports.from.url, to: ports.to.url, copies }),
    text: () => moveText(copies, ports, purgeOld),
  });
  if (copies.some(({ outcome, old }) => outcome === "failed" || old === "kept")) io.exit(3);
}

function moveText(copies: readonly MovedCopy[], { from, to }: MovePorts, purged: boolean): string {
  const of = (wanted: MovedCopy["outcome"]): number =>
    copies.filter(({ outcome }) => outcome === wanted).length;
  const removed = copies.filter(({ old }) => old === "removed").length;
  const left = copies.filter(
    ({ outcome, old }) => old !== "removed" && (outcome === "moved" || outcome === "current"),
  ).length;
  const counts = [
    `${count(of("moved"), "backup")} copied to ${plain(to.url)}`,
    `${of("current")} already there`,
    `${of("failed")} failed`,
    ...(of("retired") === 0 ? [] : [`${of("retired")} retired and not copied`]),
    ...(purged ? [`${removed} removed from ${plain(from.url)}`] : []),
  ];
  return [
    counts.join(", "),
    ...copies
      .filter(({ message }) => message !== null)
      .map(({ key, old, message }) =>
        plain(`  ${old === "kept" ? "not removed" : "not copied"}: ${key}: ${message ?? ""}`),
      ),
    ...(purged || left === 0
      ? []
      : [
          `${plain(from.url)} still has them. After an audit with the new store, remove them ` +
            "with --purge-old",
        ]),
  ].join("\n");
}

function rekeyText(report: RekeyReport, purged: boolean): string {
  const of = (outcome: string): number =>
    report.copies.filter((copy) => copy.outcome === outcome).length;
  const exposed = report.copies.filter((copy) => copy.exposed && copy.old !== "removed").length;
  const removed = report.copies.filter(({ old }) => old === "removed").length;
  const counts = [
    `${count(of("sealed"), "backup")} re-encrypted`,
    `${of("current")} up to date`,
    `${of("failed")} failed`,
    ...(of("unrecorded") === 0
      ? []
      : [
          `${of("unrecorded")} unchanged, as no audit recorded ` +
            `${of("unrecorded") === 1 ? "it" : "them"}`,
        ]),
    ...(of("retired") === 0 ? [] : [`${of("retired")} retired`]),
    ...(purged ? [`${count(removed, "old version")} removed`] : []),
  ];
  return [
    counts.join(", "),
    ...report.copies
      .filter(({ message }) => message !== null)
      .map(({ key, outcome, message }) =>
        plain(`  ${outcome === "unrecorded" ? "unchanged" : "failed"}: ${key}: ${message ?? ""}`),
      ),
    ...(exposed === 0
      ? []
      : [
          `A removed recipient can still decrypt ${count(exposed, "backup")} in the ` +
            "store." +
            (purged
              ? ""
              : " Remove them, unless a lock of the store keeps them:\n" +
                "  certkeep backups rekey --purge-old"),
        ]),
  ].join("\n");
}
