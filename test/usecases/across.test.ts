import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LimitedWorld, startLimitedWorld } from "../support/limited.ts";
import { createAuthority, type Issued } from "../support/pki.ts";
import { auditAll, type AuditedTarget, type AuditReport } from "../../lib/usecases/audit.ts";
import type { AuditPorts } from "../../lib/usecases/audit/context.ts";
import { auditDocument } from "../../lib/usecases/audit/document.ts";
import { explainName } from "../../lib/usecases/explain.ts";
import { explainDocument } from "../../lib/usecases/explain/document.ts";
import { surveyStates } from "../../lib/usecases/report.ts";
import { DAY_MS, ingressSecret, type World } from "../support/world.ts";
import { createAcross, partOf } from "../../lib/finding/across.ts";
import { clusterFindings } from "../../lib/finding/cluster.ts";
import type { CopyRecord, StateDocument } from "../../lib/state/document.ts";
import { mapValues } from "../../lib/state/secrets.ts";
import { findingDocument, type FindingDocument } from "../../lib/report/phrases.ts";

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * DAY_MS;
const DOMAIN = "shop.tail1a2b3.ts.net";
const TAILNET = "tail1a2b3.ts.net";

let world: World;
let kit: AuditPorts["kit"];
let ago: LimitedWorld["ago"];
let audit: LimitedWorld["audit"];

beforeEach(async () => {
  ({ world, kit, ago, audit } = await startLimitedWorld(DOMAIN));
});
afterEach(() => world.stop());

const explain = (name: string, plan: number | null = null): ReturnType<typeof explainName> =>
  explainName({ ...world.ports(), kit }, { name, plan, ignore: [] });

function codes(report: AuditReport): string[] {
  return report.clusters
    .flatMap(({ findings }) =>
      findings.map(({ code, severity, subject }) => `${subject.cluster} ${code} ${severity}`),
    )
    .toSorted();
}

const only = (report: AuditReport): AuditedTarget => report.clusters[0] as AuditedTarget;
const budget = (report: AuditReport, key: string) =>
  [...report.across.budgets()].find((one) => one.key === key);

/**
 * The Secret is replaced by certificates issued so many ms ago, each seen by an audit of `cluster`
 * at its time.
 */
async function replaced(
  cluster: string,
  agoMs: readonly number[],
  names: readonly string[] = [DOMAIN],
): Promise<Issued[]> {
  const now = world.nowMs;
  const issued: Issued[] = [];
  for (const ms of agoMs) {
    world.nowMs = now - ms;
    const pair = ago(0, names);
    issued.push(pair);
    world.put(ingressSecret(names[0] ?? DOMAIN, pair));
    await audit(cluster);
  }
  world.nowMs = now;
  return issued;
}

function documents(report: Parameters<typeof only>[0]): readonly FindingDocument[] {
  return only(report).findings.map(findingDocument);
}

describe("one cluster's issuances", () => {
  it("are remembered after their Secret was replaced, and take from the budget", async () => {
    await replaced("prod", [4 * HOUR_MS, 3 * HOUR_MS, 2 * HOUR_MS]);
    const report = await audit("prod");
    expect(budget(report, DOMAIN)).toMatchObject({
      kind: "set",
      atMost: 2,
      atLeast: null,
      unseenSinceMs: null,
      spent: 3,
    });
    expect(codes(report)).toEqual([
      "prod reissued_without_need warning",
      "prod set_budget_low warning",
    ]);
    // The first took from the domain, the renewals didn't.
    expect(budget(report, TAILNET)).toMatchObject({ spent: 1, exempt: 2 });
  });

  it("are told as used up, and what is live and copied lets nobody get up", async () => {
    const [, , , , last] = await replaced(
      "prod",
      [5, 4, 3, 2, 1].map((h) => h * HOUR_MS),
    );
    const report = await audit("prod");
    const found = documents(report).find(({ code }) => code === "set_budget_exhausted");
    expect(found).toMatchObject({
      severity: "warning",
      subject: { cluster: "prod", namespace: "tailscale", secret: DOMAIN, name: DOMAIN },
      command: `certkeep explain ${DOMAIN}`,
    });
    // Five from full at -5 h: one comes back every 33.6 h, counted from the first.
    expect(budget(report, DOMAIN)?.freeFromMs).toBe(world.nowMs - 5 * HOUR_MS + 33.6 * HOUR_MS);
    expect(budget(report, DOMAIN)?.fullAtMs).toBe(world.nowMs - 5 * HOUR_MS + 168 * HOUR_MS);
    world.put(
      ingressSecret(
        DOMAIN,
        last === undefined ? null : { certificatePem: last.certificatePem, keyPem: "none" },
      ),
    );
    const after = await audit("prod");
    expect(documents(after).find(({ code }) => code === "set_budget_exhausted")).toMatchObject({
      severity: "critical",
      advice: expect.stringMatching(/^Restore it from backup/) as string,
      command: `certkeep restore prod ${DOMAIN}`,
    });
  });

  it("are critical where the backup of what is live couldn't be restored", async () => {
    await replaced(
      "prod",
      [5, 4, 3, 2, 1].map((h) => h * HOUR_MS),
    );
    const { state } = only(await audit("prod"));
    const severity = (of: StateDocument): string | undefined => {
      const across = createAcross([partOf(of, world.nowMs)], {
        ...{ issuers: kit.issuers, overrides: [] },
        ...{ atMs: world.nowMs, nowMs: world.nowMs },
      });
      return clusterFindings(of, { atMs: world.nowMs, ignore: [], across }).said.find(
        ({ code }) => code === "set_budget_exhausted",
      )?.severity;
    };
    const copiesWith = (over: Partial<CopyRecord>): StateDocument["copies"] =>
      mapValues(state.copies, (one) => ({ ...one, ...over }));
    expect(severity(state)).toBe("warning");
    const retired = { reason: "leaked", at: state.audit?.finishedAt ?? "" };
    expect(severity({ ...state, copies: copiesWith({ retired }) })).toBe("critical");
  });

  it("are known from backups' records where history and Secrets are lost", async () => {
    await replaced("prod", [2 * HOUR_MS, HOUR_MS]);
    const state = await world.state();
    const stored = world.states.states.get("cluster-prod");
    world.states.states.set("cluster-prod", {
      revision: stored?.revision ?? 1,
      text: JSON.stringify({ ...state, evidence: undefined, secrets: {} }),
    });
    world.sandbox.remove("tailscale", DOMAIN);
    const report = await audit("prod");
    expect(budget(report, DOMAIN)).toMatchObject({ atMost: 3, spent: 2 });
  });

  it("count where an intermediate is missing: issued all the same", async () => {
    world.put(ingressSecret(DOMAIN, ago(HOUR_MS, [DOMAIN], { noIntermediate: true })));
    const report = await audit("prod");
    expect(codes(report)).toEqual(["prod certificate_invalid critical"]);
    expect(budget(report, DOMAIN)).toMatchObject({ atMost: 4, spent: 1 });
  });

  it(
    "don't count twice where the same one is seen again, in several Secrets, or by two audits " +
      "at once",
    async () => {
      const pair = ago(HOUR_MS);
      world.put(ingressSecret(DOMAIN, pair), { ...ingressSecret(DOMAIN, pair, "shop") });
      await Promise.all([audit("prod"), audit("prod")]);
      const report = await audit("prod");
      expect(budget(report, DOMAIN)).toMatchObject({ atMost: 4, spent: 1 });
      expect(codes(report)).toEqual(["prod shared_set info"]);
    },
  );
});

describe("clusters that share a set and a tailnet", () => {
  it("have one budget for both, told in each", async () => {
    await replaced("east", [5 * HOUR_MS, 4 * HOUR_MS]);
    await replaced("west", [3 * HOUR_MS, 2 * HOUR_MS]);
    world.put(ingressSecret(`other.${TAILNET}`, ago(HOUR_MS, [`other.${TAILNET}`])));
    // A run that looks at one of them alone knows what the other saw.
    for (const cluster of ["east", "west"]) {
      const report = await audit(cluster);
      expect(budget(report, DOMAIN)).toMatchObject({ atMost: 1, spent: 4 });
      expect(budget(report, TAILNET)).toMatchObject({ spent: 2, exempt: 3 });
      // The other name is in both as well, since one server stands for both clusters here.
      expect([...new Set(codes(report))]).toEqual(
        ["reissued_without_need", "set_budget_low", "shared_set"].map(
          (code) => `${cluster} ${code} ${code === "shared_set" ? "info" : "warning"}`,
        ),
      );
      expect(documents(report).find(({ code }) => code === "set_budget_low")?.evidence).toContain(
        "clusters east, west",
      );
    }
  });

  it("are told of a race", async () => {
    await replaced("east", [10 * 60_000]);
    await replaced("west", [0]);
    // East goes on with its own.
    const report = await audit("west");
    expect(codes(report)).toEqual(["west concurrent_issuance warning", "west shared_set warning"]);
    expect(documents(report).find(({ code }) => code === "shared_set")?.evidence).toEqual(
      expect.arrayContaining([`east tailscale/${DOMAIN}`, `west tailscale/${DOMAIN}`]),
    );
  });

  it("don't hide each other: a state that can't be read is silent, not zero, and told", async () => {
    await replaced("east", [HOUR_MS]);
    world.states.states.set("cluster-west", { revision: 1, text: "{" });
    const report = await audit("east");
    expect(report.unreadStates.map(({ code }) => code)).toEqual(["state_damaged"]);
    expect(report.across.ledger.evidence.silences).toContainEqual({
      source: "state",
      cluster: "west",
      reason: "state_damaged",
      sinceMs: null,
    });
    expect(only(report)).toMatchObject({ complete: true });
    expect(budget(report, DOMAIN)).toMatchObject({ atMost: 4, atLeast: null });
  });
});

describe("evidence that isn't true", () => {
  it("of a forged issuer changes no budget", async () => {
    await replaced("east", [HOUR_MS]);
    const forger = createAuthority({ name: "Test" });
    for (let i = 0; i < 6; i++) {
      world.put(
        ingressSecret(
          DOMAIN,
          forger.issue({
            names: [DOMAIN],
            notBefore: new Date(world.nowMs - i * 60_000),
            notAfter: new Date(world.nowMs + 90 * DAY_MS),
          }),
        ),
      );
      await audit("west");
    }
    expect(budget(await audit("west"), DOMAIN)).toMatchObject({ atMost: 4, spent: 1 });
  });

  it(
    "of borrowed certificates, whose key nobody there has, changes no budget and no other " +
      "cluster's findings",
    async () => {
      await replaced("east", [HOUR_MS]);
      for (let i = 0; i < 6; i++) {
        world.put(
          ingressSecret(DOMAIN, {
            certificatePem: ago(i * 60_000).certificatePem,
            keyPem: ago(0).keyPem,
          }),
        );
        await audit("west");
      }
      const report = await audit("west");
      expect(budget(report, DOMAIN)).toMatchObject({ atMost: 4, spent: 1 });
      expect(report.across.found).toEqual([]);
    },
  );

  it("of a clock that is ahead is noticed, and not believed", async () => {
    const now = world.nowMs;
    world.nowMs = now + 3 * DAY_MS;
    world.put(ingressSecret(DOMAIN, ago(0)));
    await audit("east");
    world.nowMs = now;
    world.put(ingressSecret(`other.${TAILNET}`, ago(HOUR_MS, [`other.${TAILNET}`])));
    const report = await audit("west");
    // Issued by now at the latest: it counts, though its state says in three days.
    expect(budget(report, DOMAIN)).toMatchObject({ atMost: 4, spent: 1, later: 0 });
    expect(report.across.future).toEqual(
      expect.arrayContaining([expect.objectContaining({ what: "sighting", cluster: "east" })]),
    );
    const clockOff = async () => {
      const { summaries } = await surveyStates(
        { ...world.ports(), issuance: { kit, overrides: [] } },
        { registered: [], ignore: [] },
      );
      return summaries
        .flatMap(({ findings }) => findings)
        .filter(({ code }) => code === "clock_off")
        .map(findingDocument);
    };
    expect(await clockOff()).toMatchObject([
      {
        severity: "warning",
        subject: { cluster: "east", name: null },
        command: "certkeep doctor east",
      },
    ]);
    // An audit of east with a right clock takes it back.
    const east = await audit("east");
    expect(only(east).findings.filter(({ code }) => code === "clock_off")).toEqual([]);
    expect(await clockOff()).toEqual([]);
    expect(budget(east, DOMAIN)).toMatchObject({ atMost: 4, spent: 1, later: 0 });
  });

  it("in a state whose instants are none is that state's damage alone", async () => {
    await replaced("east", [HOUR_MS]);
    const stored = world.states.states.get("cluster-east");
    world.states.states.set("cluster-west", {
      revision: 1,
      text: (stored?.text ?? "").replaceAll(
        /"windows":\[\[[^\]]*\]\]/g,
        '"windows":[["soon","later"]]',
      ),
    });
    const report = await audit("east");
    expect(report.unreadStates.map(({ code }) => code)).toEqual(["state_damaged"]);
    expect((await explain(DOMAIN)).problems.map(({ code }) => code)).toEqual(["state_damaged"]);
  });

  it("in a history of a million is left unread and said so", async () => {
    await replaced("prod", [HOUR_MS]);
    const stored = world.states.states.get("cluster-prod");
    const state = await world.state();
    const junk = Array.from({ length: 1_000_000 }, () => 0);
    world.states.states.set("cluster-prod", {
      revision: stored?.revision ?? 1,
      text: JSON.stringify({ ...state, evidence: { issuances: junk } }),
    });
    const report = await audit("prod");
    expect(budget(report, DOMAIN)).toMatchObject({ atMost: 4, atLeast: null });
    expect(report.across.ledger.evidence.unread).toMatchObject([
      { source: "state", cluster: "prod", count: 1_000_000 },
    ]);
    expect((await world.state()).evidence).toMatchObject({ issuances: [] });
  });
});

describe("another instant", () => {
  it("in the past doesn't know what was issued since, and doesn't move it there", async () => {
    await replaced("prod", [30 * HOUR_MS, 2 * HOUR_MS, HOUR_MS]);
    const at = world.nowMs - 10 * HOUR_MS * 1;
    const wall = { nowMs: () => world.nowMs };
    const report = await audit("prod", { clock: { nowMs: () => at }, wall, dryRun: true });
    expect(budget(report, DOMAIN)).toMatchObject({ spent: 1, later: 2, atMost: 4 });
    expect(report.across.future).toEqual([]);
    // What lies there now was not valid yet then.
    expect(codes(report)).toEqual(["prod certificate_invalid critical"]);
  });

  it("in the past doesn't move there what was never seen before", async () => {
    world.put(ingressSecret(DOMAIN, ago(HOUR_MS)));
    const at = world.nowMs - 10 * HOUR_MS * 1;
    const report = await audit("prod", {
      clock: { nowMs: () => at },
      wall: { nowMs: () => world.nowMs },
      dryRun: true,
    });
    expect(budget(report, DOMAIN)).toMatchObject({ spent: 0, later: 1, atMost: 5 });
  });

  it("in the future tells how full it will be", async () => {
    await replaced("prod", [HOUR_MS]);
    const at = world.nowMs + 40 * HOUR_MS * 1;
    const report = await audit("prod", {
      clock: { nowMs: () => at },
      wall: { nowMs: () => world.nowMs },
      dryRun: true,
    });
    expect(budget(report, DOMAIN)).toMatchObject({ atMost: 5, fullAtMs: null });
  });
});

describe("what to do about a certificate that fails", () => {
  const fails = async (): Promise<FindingDocument | undefined> =>
    documents(await audit("prod")).find(
      ({ severity, code }) => severity === "critical" && !code.startsWith("set_"),
    );

  it("is restoring it where there is a usable backup", async () => {
    await replaced("prod", [3 * HOUR_MS, 2 * HOUR_MS, HOUR_MS]);
    world.put(ingressSecret(DOMAIN, null));
    expect(await fails()).toMatchObject({
      code: "fields_emptied",
      advice: expect.stringContaining("Restore from backup (uses no issuance).") as string,
      command: `certkeep restore prod ${DOMAIN}`,
    });
  });

  it("is reissuing it where there is none, with how many are left", async () => {
    const settings = { recipients: [] };
    world.put(ingressSecret(DOMAIN, ago(HOUR_MS)));
    await world.audit({ ports: { kit }, settings });
    world.put(ingressSecret(DOMAIN, null));
    const found = documents(await world.audit({ ports: { kit }, settings })).find(
      ({ code }) => code === "fields_emptied",
    );
    expect(found?.advice).toBe(
      "No usable backup: open the service once, and Tailscale requests a new certificate. " +
        `Open https://${DOMAIN} once. 4 of 5 issuances left (estimate).`,
    );
    expect(found?.command).toBe(`certkeep explain ${DOMAIN}`);
  });

  it("is waiting where nothing is left, with the other ways out", async () => {
    const settings = { recipients: [] };
    for (const h of [5, 4, 3, 2, 1]) {
      world.put(ingressSecret(DOMAIN, ago(h * HOUR_MS)));
      await world.audit({ ports: { kit }, settings });
    }
    world.put(ingressSecret(DOMAIN, null));
    const found = documents(await world.audit({ ports: { kit }, settings })).find(
      ({ code }) => code === "fields_emptied",
    );
    const until = new Date(world.nowMs + 28.6 * HOUR_MS).toISOString().replace(".000Z", "Z");
    expect(found?.advice).toBe(
      "No usable backup: wait until the issuer allows another, or use another host name, or " +
        `use the staging environment for a test. The issuer refuses until ${until}, in 28 ` +
        "hours.",
    );
  });

  it("goes by the name that its controller would request, not by those in what it rejects", async () => {
    await replaced("prod", [3 * HOUR_MS, 2 * HOUR_MS]);
    world.put(ingressSecret(DOMAIN, ago(HOUR_MS, [`other.${TAILNET}`])));
    const found = await fails();
    expect(found).toMatchObject({
      code: "certificate_invalid",
      command: `certkeep restore prod ${DOMAIN}`,
    });
    expect(found?.advice).toBe(
      "Restore from backup (uses no issuance). 3 of 5 issuances left (estimate).",
    );
  });

  it("isn't known where the store of copies can't be read", async () => {
    await replaced("prod", [HOUR_MS]);
    world.put(ingressSecret(DOMAIN, null));
    world.faults.add({ call: "list", when: "before" });
    expect((await fails())?.advice).toContain("it is unknown whether a backup helps");
  });
});

describe("explain", () => {
  it("tells a certificate's timeline over clusters, each with the bucket's level after it", async () => {
    const east = await replaced("east", [5 * HOUR_MS, 4 * HOUR_MS]);
    const west = await replaced("west", [3 * HOUR_MS]);
    const explanation = await explain(DOMAIN);
    expect(explanation.kind).toBe("certificate");
    expect(
      explanation.places.map(
        ({ entry: { cluster, condition, verdict } }) => `${cluster} ${condition} ${verdict?.valid}`,
      ),
    ).toEqual(["east live true", "west live true"]);
    const [account] = explanation.accounts;
    expect(account?.timeline.map(({ issuance, leaves }) => [issuance.serial, leaves])).toEqual(
      [...east, ...west].map(({ serial }, i) => [serial.replace(/^0+/, ""), 4 - i]),
    );
    expect(
      account?.timeline[2]?.issuance.sources.map(({ kind, cluster }) => `${kind} ${cluster}`),
    ).toEqual(["backup west", "secret west"]);
    expect(account?.domains.map(({ key, spent }) => `${key} ${spent}`)).toEqual([`${TAILNET} 1`]);
    expect(explanation.findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining(["set_budget_low", "shared_set"]),
    );
  });

  it("plans more of a set, and new names under a domain", async () => {
    await replaced("prod", [HOUR_MS]);
    const [set] = (await explain(DOMAIN, 6)).accounts;
    const interval = 33.6 * HOUR_MS;
    expect(set?.plan).toEqual({
      earliestMs: [0, 0, 0, 0, interval - HOUR_MS, 2 * interval - HOUR_MS].map(
        (ms) => world.nowMs + ms,
      ),
      sureMs: null,
    });
    const domain = await explain(TAILNET, 51);
    expect(domain.kind).toBe("domain");
    expect(domain.accounts[0]?.plan?.earliestMs.filter((ms) => ms === world.nowMs)).toHaveLength(
      49,
    );
  });

  it(
    "finds a Secret, a cluster, a finding by code and by reference, and what is gone but was " +
      "known",
    async () => {
      await replaced("prod", [3 * HOUR_MS, 2 * HOUR_MS, HOUR_MS]);
      expect((await explain(`tailscale/${DOMAIN}`)).kind).toBe("secret");
      expect((await explain(`prod/tailscale/${DOMAIN}`)).kind).toBe("secret");
      const cluster = await explain("prod");
      expect([
        cluster.kind,
        cluster.clusters[0]?.tally.certificates,
        cluster.accounts.map(({ key }) => key),
      ]).toEqual(["cluster", 1, [DOMAIN]]);
      const byCode = await explain("set_budget_low");
      expect([
        byCode.kind,
        byCode.findings.length,
        byCode.places.length,
        byCode.accounts.length,
      ]).toEqual(["finding", 1, 1, 1]);
      const { findingRef } = await import("../../lib/finding/finding.ts");
      const [found] = byCode.findings;
      if (found === undefined) throw new Error("nothing was found");
      expect((await explain(findingRef(found))).findings).toEqual(byCode.findings);
      const state = await world.state();
      const stored = world.states.states.get("cluster-prod");
      world.states.states.set("cluster-prod", {
        revision: stored?.revision ?? 1,
        text: JSON.stringify({ ...state, secrets: {} }),
      });
      const gone = await explain(`${DOMAIN.toUpperCase()}.`);
      expect([gone.places.length, gone.accounts[0]?.timeline.length]).toEqual([0, 3]);
    },
  );

  it("suggests what was meant, and says so where nothing was audited", async () => {
    await expect(explain(DOMAIN)).rejects.toThrow("no cluster was audited yet");
    await replaced("prod", [HOUR_MS]);
    await expect(explain("shp.tail1a2b3.ts.net")).rejects.toThrow(`Did you mean ${DOMAIN}?`);
    await expect(explain("prod", 3)).rejects.toThrow(
      "prod is a cluster. Name a host, or a registered domain",
    );
  });

  it("writes nothing, and asks no cluster", async () => {
    await replaced("prod", [HOUR_MS]);
    const before = JSON.stringify([...world.states.states]);
    world.sandbox.forgetRequests();
    await explain(DOMAIN);
    expect(JSON.stringify([...world.states.states])).toBe(before);
    expect(world.sandbox.requests).toEqual([]);
  });

  it("says of logs that nobody asked for them only where nobody did", async () => {
    const silentLogs = async (): Promise<unknown[]> =>
      (await explain(DOMAIN)).across.ledger.evidence.silences
        .filter(({ source }) => source === "log")
        .map(({ cluster, reason }) => [cluster, reason]);
    await replaced("prod", [HOUR_MS]);
    expect(await silentLogs()).toEqual([[null, "not_enabled"]]);
    await world.audit({ name: "other", observe: true, ports: { kit } });
    expect(await silentLogs()).toEqual([
      ["other", "no_pod"],
      ["prod", "not_enabled"],
    ]);
  });

  it("and an audit tell machines the same numbers, with what they rest on", async () => {
    await replaced("prod", [2 * HOUR_MS, HOUR_MS]);
    const report = await audit("prod");
    const told = JSON.parse(JSON.stringify(auditDocument(report, world.nowMs))) as {
      budgets: Record<string, unknown>[];
      silent: unknown[];
    };
    const explained = JSON.parse(JSON.stringify(explainDocument(await explain(DOMAIN)))) as {
      issuances: { budget: Record<string, unknown>; timeline: unknown[] }[];
    };
    const set = told.budgets.find(({ key }) => key === DOMAIN);
    expect(set).toMatchObject({
      atMost: 3,
      atLeast: null,
      because: "no_complete_source",
      unseenSince: null,
      evidence: [
        { basis: "not_before" },
        {
          sources: [
            { kind: "backup", cluster: "prod" },
            { kind: "secret", cluster: "prod", where: `tailscale/${DOMAIN}` },
          ],
        },
      ],
    });
    expect(explained.issuances[0]?.budget).toEqual(set);
    expect(told.silent).toEqual(
      expect.arrayContaining([{ source: "ct", cluster: null, reason: "not_enabled", since: null }]),
    );
  });
});

it("a limit of the configuration holds instead of the issuer's", async () => {
  const { createLimit } = await import("../../lib/ratelimit/limit.ts");
  await replaced("prod", [HOUR_MS]);
  const overrides = [
    {
      issuer: "test",
      kind: "set" as const,
      key: DOMAIN,
      limit: createLimit({ count: 2, periodMs: WEEK_MS }),
    },
  ];
  const report = await auditAll([await world.target()], { ...world.ports(), kit, overrides }, []);
  expect(budget(report, DOMAIN)).toMatchObject({ atMost: 1, limit: { count: 2, burst: 2 } });
});
