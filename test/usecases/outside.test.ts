/**
 * What issuers are asked about live certificates in an audit: only where switched on, never again
 * too soon, in a bounded time.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRevocationSource } from "../../lib/adapters/crl/source.ts";
import { createKit } from "../../lib/wiring/kit.ts";
import { renewalId } from "../../lib/certificate/renewalid.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type {
  NoWindow,
  RenewalInfoSource,
  SuggestedWindow,
  RevocationSource,
} from "../../lib/ports/outside.ts";
import type { Issued } from "../support/pki.ts";
import { observationsOf, type Observations } from "../../lib/state/observations.ts";
import type { AuditReport } from "../../lib/usecases/audit.ts";
import { createRevocationLists } from "../../lib/usecases/revocation.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import { findingDocument } from "../../lib/report/phrases.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const DIRECTORY = "https://acme.test/directory";
const LIST = "http://te1.c.lencr.org/7.crl";
const A = "a.tail1a2b3.ts.net";
const B = "b.tail1a2b3.ts.net";

let world: World;
let asked: string[];
let fetched: string[];
let window: (id: string) => SuggestedWindow | NoWindow | "hang";
let list: () => { ok: true; der: Uint8Array } | { ok: false; why: string } | "hang";

beforeEach(async () => {
  world = await startWorld();
  world.nowMs = Math.floor(world.nowMs / 1000) * 1000;
  [asked, fetched] = [[], []];
  window = () => ({
    ok: true,
    startMs: world.nowMs,
    endMs: world.nowMs + DAY_MS,
    explanationUrl: null,
    retryMs: 6 * HOUR_MS,
  });
  list = () => ({ ok: true, der: listOf([]) });
});
afterEach(() => world.stop());

/** The test's authority under the id of the issuer whose hosts are known. */
const kitOf = (intermediates = true) => {
  const { root, intermediates: between } = world.authority;
  const issuer = createIssuer({
    id: "letsencrypt",
    title: "Test",
    anchorsPem: root.pem,
    directory: DIRECTORY,
    ...(intermediates ? { intermediatesPem: between.map(({ pem }) => pem).join("") } : {}),
  });
  return { ...createKit([issuer]), issuers: [issuer] };
};
const forever = <T>(signal: AbortSignal | undefined, late: T): Promise<T> =>
  new Promise((resolve) => signal?.addEventListener("abort", () => resolve(late), { once: true }));
const renewalInfo: RenewalInfoSource = {
  ask: async (directory, id, signal) => {
    asked.push(`${directory} ${id}`);
    const answer = window(id);
    return answer === "hang"
      ? forever(signal, { ok: false, code: "timeout", retryMs: null })
      : answer;
  },
};
const revocation: RevocationSource = {
  fetch: async (url, _hosts, signal) => {
    fetched.push(url);
    const answer = list();
    return answer === "hang" ? forever(signal, { ok: false, why: "it was interrupted" }) : answer;
  },
};
const listOf = (serials: readonly string[], nextUpdateMs = world.nowMs + 9 * DAY_MS): Uint8Array =>
  world.authority.revocationList({
    revoked: serials.map((serial) => ({
      serial,
      revokedAt: new Date(world.nowMs - HOUR_MS),
      reason: 1,
    })),
    thisUpdate: new Date(world.nowMs - HOUR_MS),
    nextUpdate: new Date(nextUpdateMs),
  });
const outside = (
  over: { readonly withinMs?: number; readonly only?: "renewalInfo" | "revocation" } = {},
) => ({
  transparency: null,
  renewalInfo: over.only === "revocation" ? null : renewalInfo,
  revocation: over.only === "renewalInfo" ? null : createRevocationLists(revocation),
  withinMs: over.withinMs ?? 5_000,
  endsIn: AbortSignal.timeout,
});
const audit = (
  over: Parameters<typeof outside>[0] & {
    readonly kit?: ReturnType<typeof createKit>;
    readonly dryRun?: boolean;
    readonly name?: string;
  } = {},
): Promise<AuditReport> =>
  world.audit({
    name: over.name ?? "prod",
    ports: { kit: over.kit ?? kitOf(), dryRun: over.dryRun ?? false, outside: outside(over) },
  });
const told = async (): Promise<Observations> => observationsOf(await world.state());
const looks = async (): Promise<readonly (readonly unknown[])[]> =>
  (await told()).looks.map(({ source, scope, code, wholeMs, sinceMs, unread }) => [
    source,
    scope,
    code,
    wholeMs,
    sinceMs,
    unread,
  ]);
const put = (name: string, issued: Issued): Issued => (
  world.put(ingressSecret(name, issued)),
  issued
);
const issue = (name: string, serial: string): Issued =>
  world.issue([name], { serial, crlUrls: [LIST] });

describe("without the settings", () => {
  it("nobody is asked, and what was read is remembered so that it can be", async () => {
    const pair = put(A, issue(A, "05aa"));
    await world.audit({ ports: { kit: kitOf() } });
    const { secrets, observations } = await world.state();
    expect([asked, fetched, observations]).toEqual([[], [], undefined]);
    const [certificate] = Object.values(secrets[`tailscale/${A}`]?.certificates ?? {});
    expect(certificate).toMatchObject({ serial: "05aa", revocationList: LIST });
    expect(certificate?.keyIdentifier).toMatch(/^[0-9a-f]{40}$/);
    expect(pair.serial).toBe("05aa");
  });

  it("nobody is asked for another instant", async () => {
    put(A, issue(A, "05aa"));
    await audit({ dryRun: true });
    expect([asked, fetched]).toEqual([[], []]);
  });
});

describe("suggested windows", () => {
  it("are asked for once for each live certificate, and again when the issuer says", async () => {
    put(A, issue(A, "05aa"));
    put(B, issue(B, "8001"));
    put("copy", issue(A, "05aa"));
    put(
      "old",
      world.issue(["old.ts.net"], {
        notBefore: new Date(world.nowMs - 90 * DAY_MS),
        notAfter: new Date(world.nowMs - 1000),
      }),
    );
    await audit({ only: "renewalInfo" });
    const [certificate] = Object.values(
      (await world.state()).secrets[`tailscale/${A}`]?.certificates ?? {},
    );
    // Its number's first bit is set: DER has a 00 before it.
    expect(asked.toSorted()).toEqual(
      [
        `${DIRECTORY} ${renewalId(certificate?.keyIdentifier ?? "", "05aa")}`,
        `${DIRECTORY} ${renewalId(certificate?.keyIdentifier ?? "", "8001")}`,
      ].toSorted(),
    );
    const { windows } = await told();
    expect(windows).toEqual(
      ["05aa", "8001"].map((serial) => ({
        issuer: "letsencrypt",
        serial,
        startMs: world.nowMs,
        endMs: world.nowMs + DAY_MS,
        explanationUrl: null,
        askedMs: world.nowMs,
        nextMs: world.nowMs + 6 * HOUR_MS,
      })),
    );
    expect(await looks()).toEqual([["renewal_info", DIRECTORY, null, world.nowMs, null, null]]);
    world.nowMs += 6 * HOUR_MS - 1;
    await audit({ only: "renewalInfo" });
    expect(asked).toHaveLength(2);
    world.nowMs += 1;
    window = () => ({
      ok: true,
      startMs: world.nowMs - HOUR_MS,
      endMs: world.nowMs - HOUR_MS / 2,
      explanationUrl: "https://issuer.example/why",
      retryMs: MINUTE_MS,
    });
    await audit({ only: "renewalInfo" });
    expect(asked).toHaveLength(4);
    expect((await told()).windows).toMatchObject([
      {
        endMs: world.nowMs - HOUR_MS / 2,
        explanationUrl: "https://issuer.example/why",
        nextMs: world.nowMs + MINUTE_MS,
      },
      {},
    ]);
  });

  it(
    "of a certificate that the issuer doesn't know are a known unknown, asked for again a day " +
      "later",
    async () => {
      put(A, issue(A, "05aa"));
      window = () => ({ ok: false, code: "unknown_certificate", retryMs: null });
      await audit({ only: "renewalInfo" });
      expect(await looks()).toEqual([
        ["renewal_info", asked[0], "unknown_certificate", null, world.nowMs, null],
        ["renewal_info", DIRECTORY, null, world.nowMs, null, null],
      ]);
      world.nowMs += DAY_MS - 1;
      await audit({ only: "renewalInfo" });
      expect(asked).toHaveLength(1);
      world.nowMs += 1;
      await audit({ only: "renewalInfo" });
      expect(asked).toHaveLength(2);
    },
  );

  it.each([
    [null, 15 * MINUTE_MS],
    [1_000, MINUTE_MS],
    [HOUR_MS, HOUR_MS],
    [90 * DAY_MS, DAY_MS],
  ])(
    "of an issuer that refuses (again in %s ms) are left alone for %d ms; what was known " +
      "stays, and since when it isn't whole",
    async (retryMs, heldMs) => {
      for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
        put(`n${n}`, issue(`n${n}.ts.net`, `05${String(n).padStart(2, "0")}`));
      await audit({ only: "renewalInfo" });
      const wholeMs = world.nowMs;
      expect(asked).toHaveLength(12);
      world.nowMs += 7 * HOUR_MS;
      const sinceMs = world.nowMs;
      window = () => ({ ok: false, code: "rate_limited", retryMs });
      await audit({ only: "renewalInfo" });
      // Those under way are answered; no further one is sent.
      expect(asked.length).toBeLessThanOrEqual(20);
      expect((await told()).windows).toHaveLength(12);
      expect(await looks()).toEqual([
        [
          "renewal_info",
          DIRECTORY,
          "rate_limited",
          wholeMs,
          sinceMs,
          "12 certificates not asked about",
        ],
      ]);
      const before = asked.length;
      world.nowMs += heldMs - 1;
      await audit({ only: "renewalInfo" });
      expect(asked).toHaveLength(before);
      world.nowMs += 1;
      window = () => ({ ok: false, code: "unreachable", retryMs: null });
      await audit({ only: "renewalInfo" });
      expect(await looks()).toEqual([
        [
          "renewal_info",
          DIRECTORY,
          "unreachable",
          wholeMs,
          sinceMs,
          "12 certificates not asked about",
        ],
      ]);
    },
  );

  it(
    "that are nonsense for one certificate don't keep the others' from being asked for, and for " +
      "many do",
    async () => {
      for (const n of [1, 2, 3, 4, 5]) put(`n${n}`, issue(`n${n}.ts.net`, `050${n}`));
      const usual = window;
      window = (id) =>
        id.endsWith(Buffer.from("0503", "hex").toString("base64url"))
          ? { ok: false, code: "invalid_answer", retryMs: null }
          : usual(id);
      await audit({ only: "renewalInfo" });
      expect((await told()).windows.map(({ serial }) => serial)).toEqual([
        "0501",
        "0502",
        "0504",
        "0505",
      ]);
      expect(
        (await looks()).map(([, scope, code]) => [(scope as string).split(" ").length, code]),
      ).toEqual([
        [2, "invalid_answer"],
        [1, null],
      ]);
      world.nowMs += DAY_MS;
      window = () => ({ ok: false, code: "invalid_answer", retryMs: null });
      for (const n of [6, 7, 8, 9]) put(`n${n}`, issue(`n${n}.ts.net`, `050${n}`));
      await audit({ only: "renewalInfo" });
      expect((await looks()).find(([, scope]) => scope === DIRECTORY)?.[2]).toBe("invalid_answer");
    },
  );

  it("are of at most three hundred a run, those asked longest ago first", async () => {
    const names = Array.from({ length: 310 }, (_, n) => `n${n}.ts.net`);
    names.forEach((name, n) => put(name, issue(name, `05${n.toString(16).padStart(4, "0")}`)));
    await audit({ only: "renewalInfo" });
    expect(asked).toHaveLength(300);
    expect(await looks()).toMatchObject([
      ["renewal_info", DIRECTORY, "too_much", null, world.nowMs, "10 certificates not asked about"],
    ]);
    world.nowMs += MINUTE_MS;
    await audit({ only: "renewalInfo" });
    expect(new Set(asked).size).toBe(310);
    expect(await looks()).toEqual([["renewal_info", DIRECTORY, null, world.nowMs, null, null]]);
  });

  it("need a Secret read once more where it was read before this was recorded", async () => {
    put(A, issue(A, "05aa"));
    await world.audit({ ports: { kit: kitOf() } });
    const entry = world.states.states.get("cluster-prod");
    world.states.states.set("cluster-prod", {
      revision: entry?.revision ?? 0,
      text: (entry?.text ?? "").replaceAll(
        /"keyIdentifier":"[0-9a-f]*","revocationList":"[^"]*"/g,
        '"later":1',
      ),
    });
    const values = async (report: Promise<AuditReport>): Promise<number> =>
      (await report).clusters[0]?.stats.valuesRead ?? -1;
    expect(await values(world.audit({ ports: { kit: kitOf() } }))).toBe(0);
    expect(await values(audit())).toBe(1);
    expect(asked).toHaveLength(1);
    expect(await values(audit())).toBe(0);
  });
});

describe("revocation lists", () => {
  beforeEach(() => {
    put(A, issue(A, "05aa"));
    put(B, issue(B, "8001"));
  });

  it("say of every live certificate whether and why it was revoked: one fetch a list", async () => {
    list = () => ({ ok: true, der: listOf(["8001"]) });
    await audit({ only: "revocation" });
    expect(fetched).toEqual([LIST]);
    const of = {
      issuer: "letsencrypt",
      list: LIST,
      askedMs: world.nowMs,
      nextMs: world.nowMs + 6 * HOUR_MS,
    };
    expect((await told()).revocations).toEqual([
      { ...of, serial: "05aa", revokedMs: null, reason: null },
      { ...of, serial: "8001", revokedMs: world.nowMs - HOUR_MS, reason: "key_compromise" },
    ]);
    expect(await looks()).toEqual([["revocation", LIST, null, world.nowMs, null, null]]);
  });

  it.each([
    [9 * DAY_MS, 6 * HOUR_MS],
    [2 * HOUR_MS, 2 * HOUR_MS],
    [MINUTE_MS, 15 * MINUTE_MS],
  ])("that hold for %d ms aren't fetched again for %d ms", async (holdsMs, heldMs) => {
    list = () => ({ ok: true, der: listOf([], world.nowMs + holdsMs) });
    await audit({ only: "revocation" });
    world.nowMs += heldMs - 1;
    await audit({ only: "revocation" });
    expect(fetched).toHaveLength(1);
    world.nowMs += 1;
    await audit({ only: "revocation" });
    expect(fetched).toHaveLength(2);
  });

  it("are fetched for a new certificate at once", async () => {
    await audit({ only: "revocation" });
    put("c", issue("c.ts.net", "05cc"));
    await audit({ only: "revocation" });
    expect(fetched).toHaveLength(2);
    expect((await told()).revocations.map(({ serial }) => serial)).toEqual([
      "05aa",
      "05cc",
      "8001",
    ]);
  });

  it.each([
    [
      "can't be fetched",
      () => ({ ok: false, why: "the issuer's server answered with status 503" }) as const,
      "unreachable",
      "the issuer's server answered with status 503",
    ],
    [
      "is HTML",
      () => ({ ok: true, der: Buffer.from("<html>") }) as const,
      "unreachable",
      "the issuer's list can't be read",
    ],
    [
      "is out of date",
      () => ({ ok: true, der: listOf([], world.nowMs - 1000) }) as const,
      "invalid_answer",
      "out of date",
    ],
  ])(
    "that %s say nothing, which is told with since when, and what was known stays",
    async (_name, answer, code, why) => {
      list = () => ({ ok: true, der: listOf(["8001"]) });
      await audit({ only: "revocation" });
      const wholeMs = world.nowMs;
      const known = (await told()).revocations;
      world.nowMs += 7 * HOUR_MS;
      list = answer;
      await audit({ only: "revocation" });
      expect((await told()).revocations).toEqual(known);
      const [[, , ...look] = []] = await looks();
      expect(look).toEqual([code, wholeMs, world.nowMs, expect.stringContaining(why)]);
      world.nowMs += 15 * MINUTE_MS - 1;
      await audit({ only: "revocation" });
      expect(fetched).toHaveLength(2);
      world.nowMs += 1;
      await audit({ only: "revocation" });
      expect(fetched).toHaveLength(3);
    },
  );

  it(
    "served by a real server over HTTP make a finding, and replacing what they revoke a needed " +
      "one",
    async () => {
      const served = createServer((request, response) => {
        fetched.push(request.url ?? "");
        response
          .writeHead(200, { "content-type": "application/pkix-crl" })
          .end((list() as { der: Uint8Array }).der);
      });
      await new Promise<void>((resolve) => served.listen(0, "127.0.0.1", () => resolve()));
      const url = `http://te1.c.lencr.org:${(served.address() as AddressInfo).port}/7.crl`;
      const lists = (): ReturnType<typeof createRevocationLists> =>
        createRevocationLists(
          createRevocationSource({
            resolve: async () => [{ address: "127.0.0.1", family: 4 }],
            allow: () => true,
          }),
        );
      const run = (): Promise<AuditReport> =>
        world.audit({
          ports: {
            kit: kitOf(),
            outside: {
              transparency: null,
              renewalInfo: null,
              revocation: lists(),
              withinMs: 5_000,
              endsIn: AbortSignal.timeout,
            },
          },
        });
      try {
        const aged = (name: string, serial: string, days: number): Issued =>
          world.issue([name], {
            serial,
            crlUrls: [url],
            notBefore: new Date(world.nowMs - days * DAY_MS),
          });
        put(A, aged(A, "05aa", 10));
        put(B, aged(B, "8001", 10));
        list = () => ({ ok: true, der: listOf(["8001"]) });
        const [first] = (await run()).clusters;
        expect(fetched).toEqual(["/7.crl"]);
        expect(first?.complete).toBe(true);
        const found = first?.findings.map(findingDocument);
        expect(found?.filter(({ code }) => code === "certificate_revoked")).toMatchObject([
          {
            severity: "critical",
            subject: { name: B },
            seen:
              "The certificate was revoked at " +
              `${new Date(world.nowMs - HOUR_MS).toISOString().replace(".000", "")} (key ` +
              "compromise).",
          },
        ]);
        put(A, aged(A, "05ab", 1));
        put(B, aged(B, "8002", 1));
        world.nowMs += MINUTE_MS;
        const [second] = (await run()).clusters;
        expect(second?.findings.filter(({ code }) => code === "certificate_revoked")).toEqual([]);
        expect(
          second?.findings
            .filter(({ code }) => code === "reissued_without_need")
            .map(({ subject }) => subject.name),
        ).toEqual([A]);
      } finally {
        served.closeAllConnections();
        await new Promise((resolve) => served.close(resolve));
      }
    },
  );

  it("signed by another than the certificate's own issuer say nothing", async () => {
    const other = await startWorld();
    list = () => ({
      ok: true,
      der: other.authority.revocationList({
        revoked: [{ serial: "8001", revokedAt: new Date(world.nowMs) }],
        thisUpdate: new Date(world.nowMs - HOUR_MS),
        nextUpdate: new Date(world.nowMs + DAY_MS),
      }),
    });
    await audit({ only: "revocation" });
    await other.stop();
    expect((await told()).revocations).toEqual([]);
    expect(await looks()).toMatchObject([
      [
        "revocation",
        LIST,
        "invalid_answer",
        null,
        world.nowMs,
        "the list's signature doesn't verify with the issuer's key",
      ],
    ]);
    // Likewise where the issuer's certificate isn't among the known ones.
    world.nowMs += HOUR_MS;
    await audit({ only: "revocation", kit: kitOf(false) });
    expect(await looks()).toMatchObject([
      [
        "revocation",
        LIST,
        "invalid_answer",
        null,
        world.nowMs - HOUR_MS,
        "the certificate's issuer is unknown here",
      ],
    ]);
  });

  it("are asked of issuers with known hosts alone", async () => {
    const kit = createKit([
      createIssuer({
        id: "corp",
        title: "Corp",
        anchorsPem: world.authority.root.pem,
        intermediatesPem: world.authority.intermediates.map(({ pem }) => pem).join(""),
      }),
    ]);
    await audit({ kit });
    expect([fetched, asked]).toEqual([[], []]);
  });
});

describe("an audit with every such source down", () => {
  it("ends in its time, whole, with what it saw saved and each source named", async () => {
    put(A, issue(A, "05aa"));
    [window, list] = [() => "hang", () => "hang"];
    const startMs = Date.now();
    const report = await audit({ withinMs: 150 });
    expect(Date.now() - startMs).toBeLessThan(5_000);
    expect(report.clusters).toMatchObject([{ complete: true, unsaved: null }]);
    expect(Object.keys((await world.state()).secrets)).toEqual([`tailscale/${A}`]);
    expect(await looks()).toMatchObject([
      ["renewal_info", DIRECTORY, "timeout", null, world.nowMs, "1 certificate not asked about"],
      ["revocation", LIST, "timeout", null, world.nowMs, "it was interrupted"],
    ]);
  });

  it("asks nobody once its own time is over", async () => {
    put(A, issue(A, "05aa"));
    await world.audit({ ports: { kit: kitOf(), outside: outside(), signal: AbortSignal.abort() } });
    expect([asked, fetched]).toEqual([[], []]);
  });
});
