/** Certificate logs in an audit: what they add to budgets, and how little they may cost it. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKit } from "../../lib/wiring/kit.ts";
import { budgetOf } from "../../lib/ratelimit/budget.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import { createAuthority, type Issued } from "../support/pki.ts";
import {
  emptyTransparency,
  formatTransparency,
  parseTransparency,
  type TransparencyDocument,
} from "../../lib/state/transparency.ts";
import type { AuditReport } from "../../lib/usecases/audit.ts";
import { auditDocument } from "../../lib/usecases/audit/document.ts";
import { explainName } from "../../lib/usecases/explain.ts";
import { askTransparency } from "../../lib/usecases/transparency.ts";
import {
  certificateOf,
  createMemorySearch,
  HOUR_MS,
  loggingIssuer,
  type MemorySearch,
  precertificateOf,
} from "../support/logged.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";

const NAME = "shop.tail1a2b3.ts.net";
const DOMAIN = "tail1a2b3.ts.net";
const MINUTE_MS = 60_000;

let world: World;
let search: MemorySearch;
let kit: ReturnType<typeof createKit>;

beforeEach(async () => {
  world = await startWorld();
  world.nowMs = Math.floor(world.nowMs / 1000) * 1000;
  search = createMemorySearch(3, () => world.nowMs);
  kit = createKit([loggingIssuer(world.authority)]);
});
afterEach(() => world.stop());

const audit = (
  over: {
    readonly domains?: readonly string[];
    readonly withinMs?: number;
    readonly dryRun?: boolean;
  } = {},
): Promise<AuditReport> =>
  world.audit({
    ports: {
      kit,
      dryRun: over.dryRun ?? false,
      outside: {
        transparency: { source: search, domains: over.domains ?? null },
        renewalInfo: null,
        revocation: null,
        endsIn: AbortSignal.timeout,
        withinMs: over.withinMs ?? 5_000,
      },
    },
  });
const ago = (ms: number, names: readonly string[] = [NAME]): Issued =>
  certificateOf(world.authority, world.nowMs - ms, names);
const find = (...issued: readonly Issued[]): void =>
  void search.found.push(...issued.map(({ leafDer }) => ({ der: leafDer })));
const budget = ({ across }: AuditReport, kind: "set" | "domain", key: string) =>
  budgetOf(across.ledger, kind, "test", key, across.atMs);
const silent = ({ across }: AuditReport): string[] =>
  across.ledger.evidence.silences.map(({ source, reason }) => `${source} ${reason}`);
function stored(domain = DOMAIN): TransparencyDocument {
  const parsed = parseTransparency(world.states.states.get(`ct-${domain}`)?.text ?? "");
  if (!parsed.ok) throw new Error(parsed.place);
  return parsed.document;
}

describe("without the setting", () => {
  it("nothing is asked, nothing is written, and that is said", async () => {
    world.put(ingressSecret(NAME, ago(HOUR_MS)));
    const report = await world.audit({ ports: { kit } });
    expect(search.asked).toEqual([]);
    expect([...world.states.states.keys()]).toEqual(["cluster-prod"]);
    expect(silent(report)).toContain("ct not_enabled");
    expect(report.transparency).toEqual([]);
  });
});

describe("certificates in logs", () => {
  it("count where no Secret shows them, each once, however it is known", async () => {
    const live = ago(HOUR_MS);
    world.put(ingressSecret(NAME, live));
    const lost = ago(3 * HOUR_MS);
    // A precertificate and its certificate are one; the live one is known from its Secret as well.
    const serial = "05aabbccdd";
    find(
      lost,
      live,
      precertificateOf(world.authority, world.nowMs - 5 * HOUR_MS, [NAME], { serial }),
      certificateOf(world.authority, world.nowMs - 5 * HOUR_MS, [NAME], { serial }),
      lost,
    );
    const report = await audit();
    expect(budget(report, "set", NAME)).toMatchObject({ spent: 3, atMost: 2 });
    expect(report.transparency).toMatchObject([
      { domain: DOMAIN, source: "logs.test", code: null, unread: 0, others: 0 },
    ]);
    expect(silent(report)).not.toContain("ct not_enabled");
    const [first] = [
      ...(report.across.ledger.accounts.set.get("test")?.get(NAME)?.entries ?? []),
    ].filter(({ issuance }) => issuance.serial === live.serial.replace(/^0+/, ""));
    expect(first?.issuance.sources.map(({ kind, cluster }) => [kind, cluster])).toEqual([
      ["backup", "prod"],
      ["ct", null],
      ["secret", "prod"],
    ]);
  });

  it("make at least known, until as far ago as logs may lag", async () => {
    const live = ago(2 * DAY_MS);
    world.put(ingressSecret(NAME, live));
    find(live, ago(3 * DAY_MS));
    const report = await audit();
    // 158 h after an empty bucket four of five are back; two were taken.
    expect(budget(report, "set", NAME)).toMatchObject({
      because: "complete_source",
      unseenSinceMs: world.nowMs - 25 * HOUR_MS,
      atLeast: 2,
    });
    world.nowMs += 2 * DAY_MS;
    expect(budget(await audit(), "set", NAME)).toMatchObject({
      because: "complete_source",
      unseenSinceMs: world.nowMs - 25 * HOUR_MS,
      atLeast: 4,
    });
  });

  it("that don't verify count as unread, never as issued, and end what is said to be complete", async () => {
    world.put(ingressSecret(NAME, ago(HOUR_MS)));
    const forger = createAuthority({ name: "Test" });
    find(
      ...[1, 2, 3, 4, 5].map((n) => certificateOf(forger, world.nowMs - n * DAY_MS, [NAME])),
      certificateOf(createAuthority({ name: "Other" }), world.nowMs - DAY_MS, [NAME]),
    );
    const report = await audit();
    expect(report.transparency).toMatchObject([{ unread: 5, others: 1 }]);
    expect(budget(report, "set", NAME)).toMatchObject({ spent: 1, atLeast: null });
    expect(silent(report)).toContain("ct unread_entries");
    // What was issued after that look is seen again.
    world.nowMs += 2 * DAY_MS;
    expect(budget(await audit(), "set", NAME)?.atLeast).not.toBeNull();
  });

  it("of other domains and of an issuer that doesn't log are nobody's question", async () => {
    const corp = createAuthority({ name: "Corp" });
    kit = createKit([
      loggingIssuer(world.authority),
      createIssuer({ id: "corp", title: "Corp", anchorsPem: corp.root.pem }),
    ]);
    world.put(
      ingressSecret(
        "db.internal.example",
        certificateOf(corp, world.nowMs - HOUR_MS, ["db.internal.example"]),
      ),
    );
    world.put(
      ingressSecret(
        NAME,
        certificateOf(world.authority, world.nowMs, [NAME, "www.example.co.uk", "ts.net"]),
      ),
    );
    await audit();
    expect(search.asked.map(({ domain }) => domain)).toEqual([DOMAIN, "example.co.uk"].toSorted());
  });

  it("of the domains that were named are asked for in their place", async () => {
    world.put(ingressSecret(NAME, ago(HOUR_MS)));
    await audit({ domains: ["a.b.example.org", "example.org", "ts.net", "x.tail9.ts.net"] });
    expect(search.asked.map(({ domain }) => domain)).toEqual(["example.org", "tail9.ts.net"]);
  });
});

describe("what is told of certificates in logs", () => {
  it("blames no owner for another cluster's certificate, though a log shows both", async () => {
    const [east, west] = [ago(2 * HOUR_MS), ago(HOUR_MS)];
    find(east, west);
    const ports = {
      kit,
      outside: {
        transparency: { source: search, domains: null },
        renewalInfo: null,
        revocation: null,
        endsIn: AbortSignal.timeout,
      },
    };
    world.put(ingressSecret(NAME, east));
    await world.audit({ name: "east", ports });
    world.put(ingressSecret(NAME, west));
    // The Secret is west's alone: east's, as it is recorded, holds its own.
    const { across } = await world.audit({ name: "west", ports });
    expect(across.found.map(({ code }) => code)).not.toContain("reissued_without_need");
    expect(across.found.map(({ code }) => code)).toContain("shared_set");
  });

  it("explains a name that no Secret ever held", async () => {
    world.put(ingressSecret(NAME, ago(HOUR_MS)));
    find(ago(2 * HOUR_MS, [`lost.${DOMAIN}`]));
    await audit();
    const { accounts } = await explainName(
      { ...world.ports(), kit },
      { name: `lost.${DOMAIN}`, plan: null, ignore: [] },
    );
    expect(accounts).toMatchObject([
      { kind: "set", key: `lost.${DOMAIN}`, budget: { spent: 1, atMost: 4 } },
    ]);
  });
});

describe("asking", () => {
  beforeEach(() => {
    world.put(ingressSecret(NAME, ago(HOUR_MS)));
  });

  it("goes page by page to the end, and on from there an hour later at the earliest", async () => {
    find(...[9, 8, 7, 6].map((n) => ago(n * HOUR_MS)));
    await audit();
    expect(search.asked.map(({ cursor }) => cursor)).toEqual([null, "2", "3"]);
    world.nowMs += HOUR_MS - 1;
    await audit();
    expect(search.asked).toHaveLength(3);
    world.nowMs += 1;
    find(ago(0));
    await audit();
    expect(search.asked.slice(3).map(({ cursor }) => cursor)).toEqual(["3", "4"]);
    expect(stored()).toMatchObject({ cursor: "4", wholeMs: world.nowMs, issuances: { length: 5 } });
  });

  it("keeps what it got before a failure, goes on there, and says since when it isn't whole", async () => {
    find(...[9, 8, 7, 6].map((n) => ago(n * HOUR_MS)));
    const page = search.page.bind(search);
    search.page = (domain, cursor, signal) =>
      cursor === null
        ? page(domain, cursor, signal)
        : Promise.resolve({ ok: false, code: "unreachable", retryMs: null });
    const failedMs = world.nowMs;
    const report = await audit();
    expect(report.transparency).toMatchObject([
      { code: "unreachable", sinceMs: failedMs, wholeMs: null },
    ]);
    expect(stored()).toMatchObject({
      cursor: "2",
      spans: [],
      issuances: { length: 3 },
      nextMs: failedMs + 15 * MINUTE_MS,
    });
    expect(silent(report)).toContain("ct unreachable");
    expect(budget(report, "set", NAME)).toMatchObject({ atLeast: null, spent: 4 });
    // The pause doubles, up to six hours.
    const pauses: number[] = [];
    for (let tries = 0; tries < 6; tries += 1) {
      world.nowMs = stored().nextMs;
      await audit();
      pauses.push((stored().nextMs - world.nowMs) / MINUTE_MS);
    }
    expect(pauses).toEqual([30, 60, 120, 240, 360, 360]);
    search.page = page;
    world.nowMs = stored().nextMs;
    expect((await audit()).transparency).toMatchObject([
      { code: null, sinceMs: null, wholeMs: world.nowMs },
    ]);
    expect(stored()).toMatchObject({ failure: null, issuances: { length: 4 } });
  });

  it.each([
    [1_000, MINUTE_MS],
    [90 * MINUTE_MS, 90 * MINUTE_MS],
    [30 * DAY_MS, DAY_MS],
    [null, 15 * MINUTE_MS],
  ])(
    "told that it was too much (again in %s ms) leaves every domain alone for %s ms, in later " +
      "runs too",
    async (retryMs, heldMs) => {
      world.put(
        ingressSecret(
          "a.example.com",
          certificateOf(world.authority, world.nowMs, ["a.example.com"]),
        ),
      );
      search.fails = { ok: false, code: "rate_limited", retryMs };
      await audit();
      expect(search.asked).toHaveLength(1);
      world.nowMs += heldMs - 1;
      await audit();
      expect(search.asked).toHaveLength(1);
      world.nowMs += 1;
      await audit();
      expect(search.asked).toHaveLength(2);
    },
  );

  it("is of at most ten domains a run, those asked longest ago first", async () => {
    const domains = Array.from({ length: 25 }, (_, n) =>
      `d${n}.example.com`.replace(".example", "example"),
    );
    for (const expected of [10, 20, 25]) {
      await audit({ domains });
      expect(new Set(search.asked.map(({ domain }) => domain)).size).toBe(expected);
      world.nowMs += MINUTE_MS;
    }
  });

  it("starts again where another is asked, and after a clock that went back", async () => {
    find(ago(2 * HOUR_MS));
    await audit();
    world.nowMs += 2 * HOUR_MS;
    (search as { name: string }).name = "other.test";
    await audit();
    expect(search.asked.map(({ cursor }) => cursor)).toEqual([null, "0", null, "0"]);
    world.nowMs -= 2 * DAY_MS;
    await audit();
    expect(search.asked).toHaveLength(5);
  });

  it("ends in its time whatever doesn't answer, and the audit has its result", async () => {
    search.fails = "hang";
    const startMs = Date.now();
    const report = await audit({ withinMs: 100 });
    expect(Date.now() - startMs).toBeLessThan(5_000);
    expect(report.clusters).toMatchObject([{ complete: true, unsaved: null }]);
    expect(report.transparency).toMatchObject([{ code: "timeout" }]);
  });

  it("writes nothing of an instant that is only asked about", async () => {
    await audit({ dryRun: true });
    expect(search.asked).toEqual([]);
    expect(world.states.states.size).toBe(0);
  });

  it(
    "comes after the cluster's state is saved, and a store that fails then is told and fails " +
      "nothing",
    async () => {
      world.faults.add({ call: "write", nth: 2, when: "before" });
      const report = await audit();
      expect(report.clusters).toMatchObject([{ complete: true, unsaved: null }]);
      expect(report.unreadStates.map(({ code }) => code)).toEqual(["store_unavailable"]);
      expect([...world.states.states.keys()]).toEqual(["cluster-prod"]);
    },
  );

  it("joins with what another run wrote meanwhile", async () => {
    const page = search.page.bind(search);
    find(ago(2 * HOUR_MS));
    search.page = async (domain, cursor, signal) => {
      search.page = page;
      // Another run, whose claim was over, ends while this one waits for its first answer.
      const other = createMemorySearch(3);
      other.found.push({ der: ago(3 * HOUR_MS).leafDer });
      world.nowMs += 3 * MINUTE_MS;
      await askTransparency([DOMAIN], {
        states: world.states,
        clock: world.ports().clock,
        kit,
        source: other,
        signal: new AbortController().signal,
      });
      return page(domain, cursor, signal);
    };
    await audit();
    expect(stored().issuances).toHaveLength(2);
  });

  it("is one run's of many at once", async () => {
    find(ago(2 * HOUR_MS));
    const ask = () =>
      askTransparency([DOMAIN], {
        states: world.states,
        clock: world.ports().clock,
        kit,
        source: search,
        signal: new AbortController().signal,
      });
    const runs = await Promise.all(Array.from({ length: 20 }, ask));
    expect(search.asked.map(({ cursor }) => cursor)).toEqual([null, "0"]);
    expect(runs.flatMap(({ problems }) => problems)).toEqual([]);
    expect(stored().issuances).toHaveLength(1);
  });

  it("never overwrites what it can't read", async () => {
    for (const [text, code] of [
      ["{", "state_damaged"],
      [
        formatTransparency({ ...emptyTransparency(DOMAIN, "logs.test"), readableFrom: 9 }),
        "state_format_newer",
      ],
    ] as const) {
      world.states.states.set(`ct-${DOMAIN}`, { revision: 1, text });
      const report = await audit();
      expect(report.unreadStates.map((problem) => problem.code)).toEqual([code]);
      expect(silent(report)).toContain(`ct ${code}`);
      expect(world.states.states.get(`ct-${DOMAIN}`)?.text).toBe(text);
      expect(search.asked).toEqual([]);
    }
  });

  it("is told for machines", async () => {
    await audit();
    const document = auditDocument(await audit(), world.nowMs) as {
      readonly transparency: readonly object[];
    };
    const at = new Date(world.nowMs).toISOString().replace(".000Z", "Z");
    expect(document.transparency).toEqual([
      {
        domain: DOMAIN,
        source: "logs.test",
        code: null,
        asked: at,
        whole: at,
        since: null,
        unread: 0,
        others: 0,
      },
    ]);
  });
});
