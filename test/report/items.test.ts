import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Finding } from "../../lib/finding/finding.ts";
import { type Item, itemsOf } from "../../lib/report/items.ts";
import { itemLines } from "../../lib/report/items/lines.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { countText } from "../../lib/report/items/say.ts";
import { plainText } from "../../lib/report/part.ts";
import {
  badDay,
  firstAudit,
  healthy,
  nearExpiry,
  nearLimit,
  quietWeek,
  rejectedCredential,
  SCENARIOS,
  type Scenario,
} from "../support/scenarios.ts";
import { NOW_MS } from "../finding/fixture.ts";
import { anyFinding } from "./anyfinding.ts";
import { selectCopies } from "../../lib/restoreplan/select.ts";

function items({ findings, nowMs }: Pick<Scenario, "findings" | "nowMs">): Item[] {
  return itemsOf({ findings, nameOf: (cluster) => cluster, nowMs });
}

function headline({ events: [event] }: Item): string {
  const [first] = event.subjects;
  const who = event.subjects.length === 1 ? first?.name : countText(event);
  return `${who}: ${plainText(event.what)}`;
}

describe("items", () => {
  it("are none where nothing is wrong", () => {
    expect(items(healthy())).toEqual([]);
  });

  it("make one item of a deleted Secret, the lost permission, lost issuances and a running 429", () => {
    const day = badDay();
    const [namespace, shop, chains, ...others] = items(day);
    expect(others).toEqual([]);
    expect(headline(shop as Item)).toBe(
      "shop.tail1a2b3.ts.net: Secret missing; " +
        "Let's Encrypt refuses until 2026-11-24T07:16:00Z",
    );
    expect(new Set(shop?.findings.map(({ code }) => code))).toEqual(
      new Set(["secret_lost", "storage_forbidden", "issued_not_stored", "rate_limited"]),
    );
    expect(plainText(shop?.cause ?? [])).toContain(
      "isn't allowed to patch or update the Secret (403)",
    );
    expect(plainText(shop?.cause ?? [])).toContain("5 certificates issued and lost");
    expect(shop?.fix.commands).toEqual(["certkeep restore prod shop.tail1a2b3.ts.net --apply"]);
    expect(shop?.more).toEqual({
      label: "Prevent",
      command: "certkeep explain shop.tail1a2b3.ts.net",
      note: "the missing permission",
    });
    expect(headline(namespace as Item)).toBe(
      "namespace tailscale: 14 certificates lost; all backed up",
    );
    expect(namespace?.fix.commands).toEqual([
      "certkeep restore eu --all --namespace tailscale --create-namespace --apply",
    ]);
    expect(headline(chains as Item)).toBe(
      "11 certificates: intermediate missing from the chain; all backed up",
    );
    expect(chains?.fix.commands).toEqual([
      "certkeep restore prod --all --namespace tailscale --apply",
    ]);
  });

  it("name each service account that lost its permission", () => {
    const lost = badDay().findings.find(({ code }) => code === "storage_forbidden");
    if (lost?.code !== "storage_forbidden") throw new Error("no such finding");
    const of = (account: string, secret: string | null): Finding => ({
      ...lost,
      id: `${account}-${secret}`,
      subject: { ...lost.subject, secret, name: null },
      params: {
        ...lost.params,
        accounts: [`system:serviceaccount:tailscale:${account}`],
        secrets: secret === null ? 12 : 1,
      },
    });
    const found = items({
      findings: [of("ingress-proxies", null), of("operator", "operator")],
      nowMs: NOW_MS,
    });
    expect(found.map(({ cause }) => plainText(cause)).toSorted()).toEqual([
      expect.stringContaining("service account tailscale/ingress-proxies isn't allowed"),
      expect.stringContaining("service account tailscale/operator isn't allowed"),
    ]);
  });

  it("make one item of 59 certificates with one cause", () => {
    const all = items(firstAudit());
    expect(all.map(({ events: [{ subjects }] }) => subjects.length).toSorted()).toEqual(
      [1, 20, 31, 40, 50, 59].toSorted(),
    );
  });

  it("make one item of all that is found about one set of names", () => {
    const [grafana, ...others] = items(nearLimit());
    expect(others).toEqual([]);
    expect(headline(grafana as Item)).toBe(
      "grafana.tail1a2b3.ts.net: close to its rate limit: 1 of 5 issuances left",
    );
    expect(grafana?.estimate).toBe(true);
    expect(plainText(grafana?.cause ?? [])).toContain("2 Secrets request it separately");
  });

  it("begin with what can't be seen, and end with what was last seen of it", () => {
    const [rejected, ...stale] = items(rejectedCredential());
    expect(rejected?.unseen).toBe(true);
    expect(rejected?.asLastSeen).toBeNull();
    expect(headline(rejected as Item)).toBe(
      "prod: credential rejected (401); last seen 2026-11-22T06:00:00Z",
    );
    expect(stale.map(({ asLastSeen }) => asLastSeen)).toEqual([
      "2026-11-22T06:00:00Z",
      "2026-11-22T06:00:00Z",
    ]);
  });

  it("say once of several clusters what is alike in all", () => {
    expect(items(quietWeek()).map(headline)).toEqual([
      "edge-7: not audited for 26 hours",
      "3 certificates: renewal is overdue",
    ]);
  });

  it("say of one certificate when it expires and since when renewal is due", () => {
    expect(items(nearExpiry()).map(headline)).toEqual([
      "billing.tail1a2b3.ts.net: expires in 5 days, renewal was due 25 days ago",
      "wiki.tail1a2b3.ts.net: expires in 20 days, renewal was due 10 days ago",
    ]);
  });

  it.each(Object.entries(SCENARIOS))("of %s hold each finding once", (_, make) => {
    const day = make();
    const held = items(day).flatMap(({ findings }) => findings.map(({ id }) => id));
    expect(held.toSorted()).toEqual(day.findings.map(({ id }) => id).toSorted());
  });

  it("are lines without a control character or a bare bidirectional mark, whatever they say", () => {
    fc.assert(
      fc.property(
        fc.array(anyFinding("prod"), { maxLength: 8 }),
        fc.constantFrom(40, 80, 120),
        fc.boolean(),
        (findings, width, verbose) => {
          const { lines } = itemLines(items({ findings, nowMs: NOW_MS }), {
            width,
            style: PLAIN,
            nowMs: NOW_MS,
            several: true,
            names: 12,
            verbose,
          });
          expect(lines.join("")).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
        },
      ),
    );
  });

  it("hold every finding once, whatever it says", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(anyFinding("prod"), anyFinding("eu")), { maxLength: 12 }),
        (findings) => {
          const once = [...new Map(findings.map((one) => [one.id, one])).values()];
          const held = items({ findings: once, nowMs: NOW_MS }).flatMap((item): Finding[] => {
            for (const command of [
              ...item.fix.commands,
              ...(item.more === null ? [] : [item.more.command]),
            ])
              expect(command).toMatch(/^[A-Za-z0-9._/*:=@' -]+$/);
            expect(item.events.length).toBeGreaterThan(0);
            return [...item.findings];
          });
          expect(held.map(({ id }) => id).toSorted()).toEqual(once.map(({ id }) => id).toSorted());
        },
      ),
    );
  });
});

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

/** Run as it stands, it does what its line says. */
it.each(Object.entries(SCENARIOS))(
  "an offered restore chooses every certificate that its item is about: %s",
  (_, make) => {
    const day = make();
    const restores = items(day).filter(({ fix }) => fix.label === "Restore");
    for (const item of restores)
      expect([...chosen(day, item)]).toEqual(expect.arrayContaining(places(item)));
    expect(restores.filter(({ fix }) => fix.commands.length === 0)).toEqual([]);
  },
);
