import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LimitedWorld, startLimitedWorld } from "../support/limited.ts";
import type { Issued } from "../support/pki.ts";
import type { AuditedTarget, AuditReport } from "../../lib/usecases/audit.ts";
import type { AuditPorts } from "../../lib/usecases/audit/context.ts";
import { explainText } from "../../lib/report/explain.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { explainName } from "../../lib/usecases/explain.ts";
import { type FullReport, reportAll } from "../../lib/usecases/report.ts";
import { DAY_MS, ingressSecret, type World } from "../support/world.ts";
import { findingDocument } from "../../lib/report/phrases.ts";

const HOUR_MS = 3_600_000;
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

const only = (report: AuditReport): AuditedTarget => report.clusters[0] as AuditedTarget;

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

describe("a report", () => {
  it("tells the same of budgets as an audit, and advises the same", async () => {
    await replaced("east", [5 * HOUR_MS, 4 * HOUR_MS]);
    await replaced("west", [3 * HOUR_MS, 2 * HOUR_MS]);
    world.put(ingressSecret(DOMAIN, null));
    const audited = await audit("west");
    const report = await reportAll(
      { ...world.ports(), issuance: { kit } },
      { registered: ["west"], ignore: [] },
    );
    expect(report.budgets).toMatchObject([
      {
        name: DOMAIN,
        kind: "set",
        remaining: 1,
        atLeast: null,
        capacity: 5,
        clusters: ["east", "west"],
      },
      // One token came back after 3 h 21 min 36 s.
      { name: TAILNET, kind: "domain", remaining: 50, capacity: 50 },
    ]);
    expect(report.budgets[0]?.levels.map(({ left }) => left)).toEqual([4, 3, 2, 1, 1, 2]);
    const told = (findings: AuditedTarget["findings"]): string[] =>
      findings.map((finding) => `${finding.id} ${findingDocument(finding).advice}`).toSorted();
    expect(told(report.summaries[0]?.findings ?? [])).toEqual(told(only(audited).findings));
  });
});

describe("a report over many clusters", () => {
  /** How often each state was read. */
  async function reads(): Promise<{
    readonly report: FullReport;
    readonly reads: Readonly<Record<string, number>>;
  }> {
    const counts: Record<string, number> = {};
    const { states, clock } = world.ports();
    const counting: typeof states = {
      url: states.url,
      names: () => states.names(),
      write: (name, text, revision) => states.write(name, text, revision),
      read: (name) => {
        counts[name] = (counts[name] ?? 0) + 1;
        return states.read(name);
      },
    };
    return {
      report: await reportAll(
        { states: counting, clock, issuance: { kit } },
        { registered: [], ignore: [] },
      ),
      reads: counts,
    };
  }

  it("reads a state again only where other clusters change what is said of it", async () => {
    await replaced("east", [HOUR_MS]);
    world.sandbox.remove("tailscale", DOMAIN);
    world.put(ingressSecret(`other.${TAILNET}`, ago(HOUR_MS, [`other.${TAILNET}`])));
    await audit("west");
    const apart = await reads();
    expect(apart.reads).toEqual({ "cluster-east": 1, "cluster-west": 1 });
    expect(apart.report.rows.map(({ cluster, name }) => `${cluster} ${name}`)).toEqual([
      `east ${DOMAIN}`,
      `west other.${TAILNET}`,
    ]);
    // West takes the set of east as well: both are told, and nothing twice.
    world.put(ingressSecret(DOMAIN, ago(0)));
    await audit("west");
    const shared = await reads();
    expect(shared.reads).toEqual({ "cluster-east": 2, "cluster-west": 2 });
    expect(shared.report.rows.map(({ cluster, name }) => `${cluster} ${name}`)).toHaveLength(3);
    expect(
      shared.report.summaries.map(({ cluster, findings }) => [
        cluster,
        findings.some(({ code }) => code === "shared_set"),
      ]),
    ).toEqual([
      ["east", true],
      ["west", true],
    ]);
  });

  it("advises on what fails though no other cluster shows anything of it", async () => {
    await replaced("east", [HOUR_MS]);
    world.put(ingressSecret(DOMAIN, null));
    await audit("east");
    const { report } = await reads();
    expect(
      report.summaries[0]?.findings.map(({ code, advice }) => [code, advice?.action]),
    ).toContainEqual(["fields_emptied", "restore"]);
  });
});

describe("a name that nothing is known of", () => {
  it("is told with what could not be read, and never offered itself", async () => {
    await replaced("east", [HOUR_MS]);
    world.states.states.set("cluster-west", { revision: 1, text: "{" });
    const explain = (name: string): Promise<unknown> =>
      explainName({ ...world.ports(), kit }, { name, plan: null, ignore: [] });
    await expect(explain("expired")).rejects.toThrow(
      /no expired finding now \(a state could not be read\)/,
    );
    await expect(explain("shop.tail1a2b3.ts.ne")).rejects.toThrow(
      /no match for .* \(a state could not be read\)\. Did you mean shop\.tail1a2b3\.ts\.net\?/,
    );
  });
});

describe("a page on what was audited long ago", () => {
  it("says so", async () => {
    await replaced("east", [HOUR_MS]);
    const page = async (): Promise<string> =>
      explainText(
        await explainName({ ...world.ports(), kit }, { name: DOMAIN, plan: null, ignore: [] }),
        { width: 200, style: PLAIN },
      );
    expect(await page()).not.toContain("Not audited since");
    world.nowMs += 2 * DAY_MS;
    expect(await page()).toMatch(/Not audited since \w+ \d{1,2} \d\d:\d\d UTC \(east\)/);
  });
});

describe("a certificate issued again", () => {
  const advice = async (): Promise<string | undefined> =>
    only(await audit("prod"))
      .findings.filter(({ code }) => code === "reissued_without_need")
      .map((finding) => findingDocument(finding).advice)[0];

  it("is its controller's doing where the one before is gone", async () => {
    await replaced("prod", [5 * HOUR_MS, HOUR_MS]);
    expect(await advice()).toContain("Find out why the certificate before was discarded");
  });

  it("is nobody's where another Secret still holds the one before", async () => {
    await replaced("prod", [5 * HOUR_MS]);
    world.put(ingressSecret(DOMAIN, ago(HOUR_MS), "shop"));
    expect(await advice()).toContain("2 Secrets hold these names, each with its own certificate");
  });
});
