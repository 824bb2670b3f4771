/** An offered restore, asked as it stands, chooses every certificate that its item is about. */
import { expect, it } from "vitest";
import { type Item, itemsOf } from "../../lib/report/items.ts";
import { selectCopies } from "../../lib/restoreplan/select.ts";
import { SCENARIOS, type Scenario } from "../support/scenarios.ts";

/** What the command asks for, as lib/cli/restore.ts reads it. */
function parse(command: string) {
  const words = command.split(" ");
  expect(words.slice(0, 2)).toEqual(["certkeep", "restore"]);
  expect(words.at(-1)).toBe("--apply");
  const [cluster = "", ...rest] = words.slice(2, -1);
  const at = rest.indexOf("--namespace");
  const namespace = at === -1 ? null : (rest[at + 1] ?? null);
  return {
    cluster,
    all: rest.includes("--all"),
    namespace,
    names: rest.filter((word) => !word.startsWith("--") && word !== namespace),
  };
}

/** `namespace/secret` that its commands would restore. */
function chosen({ states }: Scenario, { fix }: Item): Set<string> {
  return new Set(
    fix.commands.flatMap((command) => {
      const { cluster, ...asked } = parse(command);
      const state = states.find((one) => one.cluster === cluster);
      if (state === undefined) throw new Error(`no cluster ${cluster}`);
      const copies = Object.fromEntries(
        Object.entries(state.copies).map(([version, one]) => [version, { ...one, recorded: true }]),
      );
      const { choices, unknown } = selectCopies(state, copies, {
        ...asked,
        asOfMs: null,
        version: null,
        standby: false,
      });
      expect(unknown).toEqual([]);
      return choices.map(({ namespace, secret }) => `${namespace}/${secret}`);
    }),
  );
}

function places({ findings }: Item): string[] {
  return findings.flatMap(({ code, params, subject, actions }) =>
    code === "secret_lost" && params.of === "many"
      ? params.keys
      : actions.some(({ kind }) => kind === "restore")
        ? [`${subject.namespace}/${subject.secret}`]
        : [],
  );
}

it.each(Object.entries(SCENARIOS))("of %s", (_, make) => {
  const day = make();
  const items = itemsOf({ findings: day.findings, nameOf: (one) => one, nowMs: day.nowMs });
  for (const item of items.filter(({ fix }) => fix.label === "Restore"))
    expect([...chosen(day, item)]).toEqual(expect.arrayContaining(places(item)));
  expect(items.filter(({ fix }) => fix.label === "Restore" && fix.commands.length === 0)).toEqual(
    [],
  );
});
