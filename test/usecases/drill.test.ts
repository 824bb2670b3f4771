/** Opening backups for real: what is good, what isn't, what has none; retiring and importing. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateIdentity, createOpener } from "../../lib/adapters/age/identity.ts";
import { isCertkeepError } from "../../lib/error.ts";
import { evaluateState } from "../../lib/finding/evaluate.ts";
import { createAuthority } from "../support/pki.ts";
import type { DrillReport } from "../../lib/report/drill.ts";
import { runDrill, type DrillPorts } from "../../lib/usecases/drill.ts";
import { retireCopy } from "../../lib/usecases/drill/retire.ts";
import { importStandby } from "../../lib/usecases/drill/standby.ts";
import { DAY_MS, ingressSecret, startWorld, type World } from "../support/world.ts";
import { dataAt, outcomes, restore, tlsSecret } from "../support/restoring.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.stop());

const DOMAIN = "shop.tail1a2b3.ts.net";

async function drill(
  ports: Partial<DrillPorts> = {},
  patterns: readonly string[] = [],
): Promise<DrillReport> {
  const { backups, states, kit, clock, progress } = world.ports();
  return runDrill(
    {
      backups,
      states,
      kit,
      clock,
      progress,
      opener: world.opener,
      recipientsFor: () => [world.recipient],
      remove: true,
      ...ports,
    },
    patterns,
  );
}
const verdicts = (report: DrillReport): string[] =>
  report.copies
    .map(({ verdict, code }) => (code === null ? verdict : `${verdict} ${code}`))
    .toSorted();

describe("a drill", () => {
  it("tells which backups a restore would refuse, since they came from another cluster", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    world.states.states.clear();
    const other = await startWorld();
    try {
      const { auditAll } = await import("../../lib/usecases/audit.ts");
      await auditAll(
        [{ ...(await world.target()), reader: await other.reader() }],
        world.ports(),
        [],
      );
    } finally {
      await other.stop();
    }
    expect(verdicts(await drill())).toEqual(["unreadable copy_of_another"]);
  });

  it("records the digest of a backup that was encrypted again with the recorded content", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    const [name, { revision, text }] = [...world.states.states][0] as [
      string,
      { revision: number; text: string },
    ];
    const before = await world.state();
    const other = text.replaceAll(
      /"digest":"[0-9a-f]{64}","key"/g,
      `"digest":"${"0".repeat(64)}","key"`,
    );
    expect(other).not.toBe(text);
    world.states.states.set(name, { revision, text: other });
    expect(verdicts(await drill({ opener: null }))).toEqual(["unreadable copy_swapped"]);
    expect(verdicts(await drill())).toEqual(["good"]);
    expect((await world.state()).copies).toEqual(before.copies);
    expect(verdicts(await drill({ opener: null }))).toEqual(["not_opened"]);
  });

  it("opens every copy, judges it as of now, and says how old the newest good one is", async () => {
    world.put(
      ingressSecret(DOMAIN, world.issue([DOMAIN])),
      tlsSecret("shop", "web-tls", world.issue(["a.example.com"])),
    );
    await world.audit();
    world.nowMs += 3 * DAY_MS;
    const report = await drill();
    expect(verdicts(report)).toEqual(["good", "good"]);
    expect(report.findings).toEqual([]);
    expect(
      report.certificates.map(({ title, live, good }) => [
        title,
        live,
        good?.recordedAt !== null && good !== null,
      ]),
    ).toEqual(
      [
        [DOMAIN, "valid", true],
        ["a.example.com", "valid", true],
      ].toSorted(),
    );
    world.nowMs += 80 * DAY_MS;
    expect(verdicts(await drill())).toEqual(["expired", "expired"]);
  });

  it(
    "what can't be opened, was swapped, cut, or is gone is critical, and its certificate has " +
      "none",
    async () => {
      for (const host of ["a", "b", "c", "d"])
        world.put(
          ingressSecret(`${host}.tail1a2b3.ts.net`, world.issue([`${host}.tail1a2b3.ts.net`])),
        );
      await world.audit();
      const keyOf = (host: string): string =>
        [...world.backups.blobs.keys()].find((key) => key.includes(`/${host}.`)) ?? "";
      const text = (key: string): string => new TextDecoder().decode(world.backups.blobs.get(key));
      world.backups.blobs.set(keyOf("a"), Buffer.from(text(keyOf("a")).slice(0, -80)));
      world.backups.blobs.delete(keyOf("b"));
      world.backups.blobs.set(
        keyOf("c"),
        Buffer.from(text(keyOf("c")).replace('"names": [', '"names": [ "evil.example.com",')),
      );
      const report = await drill();
      expect(verdicts(report)).toEqual([
        "good",
        "unreadable copy_damaged",
        "unreadable copy_forged",
        "unreadable no_copy",
      ]);
      expect(report.findings.map(({ code, severity }) => `${code} ${severity}`)).toEqual(
        Array.from({ length: 3 }, () => "backup_unreadable critical"),
      );
      expect(
        report.certificates
          .filter(({ good }) => good === null)
          .map(({ title }) => title)
          .toSorted(),
      ).toEqual(["a", "b", "c"].map((host) => `${host}.tail1a2b3.ts.net`));
    },
  );

  it(
    "takes nothing for gone that a listing lacks and the store has: listings of Secrets Manager " +
      "lag behind",
    async () => {
      world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
      await world.audit();
      const unlisted = { ...world.backups, async *list() {} };
      expect((await drill({ backups: unlisted })).findings).toEqual([]);
      world.backups.blobs.clear();
      expect((await drill({ backups: unlisted })).findings.map(({ code }) => code)).toEqual([
        "backup_unreadable",
      ]);
    },
  );

  it(
    "says so in the cluster's own findings, through audits and until a drill finds it good, and " +
      "writes a few at most",
    async () => {
      for (let at = 0; at < 23; at += 1)
        world.put(
          ingressSecret(`h${at}.tail1a2b3.ts.net`, world.issue([`h${at}.tail1a2b3.ts.net`])),
        );
      await world.audit();
      const unreadable = async (): Promise<string[]> =>
        evaluateState(await world.state(), world.nowMs, new Date(world.nowMs).toISOString())
          .filter(({ code }) => code === "backup_unreadable")
          .map(({ severity, subject }) => `${severity} ${subject.secret ?? "the rest"}`);
      await drill();
      expect((await world.state()).drill).toBeUndefined();
      const whole = new Map(world.backups.blobs);
      const [key] = [...whole.keys()];
      if (key === undefined) throw new Error("there is no copy");
      const place = key.includes("/h0.") ? "h0" : (/\/(h\d+)\./.exec(key)?.[1] ?? "");
      world.backups.blobs.set(key, Buffer.from("{"));
      await drill({ remove: false });
      expect(await unreadable()).toEqual([]);
      await drill();
      world.nowMs += DAY_MS;
      await world.audit();
      expect(await unreadable()).toEqual([`critical ${place}.tail1a2b3.ts.net`]);
      // A look at others, or without an identity, doesn't take it back.
      await drill({}, ["elsewhere.*"]);
      await drill({ opener: null });
      expect(await unreadable()).toHaveLength(1);
      for (const one of whole.keys()) world.backups.blobs.set(one, Buffer.from("{"));
      await drill();
      expect((await world.state()).drill?.unreadable).toHaveLength(20);
      expect((await unreadable()).filter((one) => one === "critical the rest")).toHaveLength(1);
      for (const [one, bytes] of whole) world.backups.blobs.set(one, bytes);
      await drill();
      expect(await unreadable()).toEqual([]);
    },
  );

  it(
    "with a wrong identity every copy is critical; without one nothing is opened and nothing is " +
      "removed",
    async () => {
      world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
      await world.audit();
      const other = await createOpener([
        { where: "other", content: (await generateIdentity()).secret },
      ]);
      expect(verdicts(await drill({ opener: other }))).toEqual([
        "unreadable copy_sealed_for_others",
      ]);
      world.nowMs += 400 * DAY_MS;
      const blind = await drill({ opener: null });
      expect(blind).toMatchObject({ opened: false, retention: "needs_identity" });
      expect(verdicts(blind)).toEqual(["not_opened"]);
      expect(world.backups.blobs.size).toBe(1);
    },
  );

  it(
    "removes what expired 30 days ago, but never the newest two valid ones; a rehearsal removes " +
      "nothing",
    async () => {
      for (let round = 0; round < 3; round += 1) {
        world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
        await world.audit();
        world.nowMs += DAY_MS;
      }
      world.nowMs += 120 * DAY_MS;
      expect(
        (await drill({ remove: false })).copies.filter(({ removed }) => removed !== null),
      ).toHaveLength(1);
      expect(world.backups.blobs.size).toBe(3);
      const report = await drill();
      expect(report.copies.filter(({ removed }) => removed === "expired")).toHaveLength(1);
      expect(world.backups.blobs.size).toBe(2);
      expect(Object.keys((await world.state()).copies)).toHaveLength(2);
      expect(verdicts(await drill())).toEqual(["expired", "expired"]);
    },
  );

  it("what a restore replaced goes after 30 days, or 30 days after its expiry if it was valid", async () => {
    const [long, short] = [
      world.issue([DOMAIN]),
      world.issue([DOMAIN], { notAfter: new Date(world.nowMs + 20 * DAY_MS) }),
    ];
    world.put(
      ingressSecret(DOMAIN, long),
      tlsSecret("shop", "web-tls", world.issue(["a.example.com"])),
    );
    await world.audit();
    world.put(ingressSecret(DOMAIN, short), {
      ...tlsSecret("shop", "web-tls", world.issue(["a.example.com"])),
      data: { "tls.crt": "bm9uZQ==", "tls.key": "bm9uZQ==" },
    });
    await restore(world, { all: true });
    const replaced = async (): Promise<number> =>
      (await drill({ remove: false })).copies.filter(
        ({ header, removed }) => header?.kind === "replaced" && removed === null,
      ).length;
    expect(await replaced()).toBe(2);
    world.nowMs += 31 * DAY_MS;
    expect(await replaced()).toBe(1);
    world.nowMs += 20 * DAY_MS;
    expect(await replaced()).toBe(0);
  });
});

describe("retiring a copy", () => {
  it("keeps it from ever being planned; purging removes it; what isn't known is told", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    const [version] = Object.keys((await world.state()).copies);
    const { backups, states, clock } = world.ports();
    world.sandbox.remove("tailscale", DOMAIN);
    await expect(
      retireCopy("0123456789", "leaked", false, { backups, states, clock }),
    ).rejects.toSatisfy((error) => isCertkeepError(error, "usage"));
    await expect(retireCopy(version ?? "", " ", false, { backups, states, clock })).rejects.toThrow(
      "no reason",
    );
    await retireCopy(version?.slice(0, 10) ?? "", "leaked", false, { backups, states, clock });
    expect(outcomes(await restore(world, { names: [DOMAIN] }))).toEqual([
      `${DOMAIN} refuse refused copy_retired`,
    ]);
    expect(
      outcomes(await restore(world, { version: version ?? "", force: new Set(["live_valid"]) })),
    ).toEqual([`${DOMAIN} refuse refused copy_retired`]);
    // An audit that runs at the same time doesn't bring it back.
    await world.audit();
    expect((await world.state()).copies[version ?? ""]?.retired?.reason).toBe("leaked");
    expect(
      (await retireCopy(version ?? "", "leaked", true, { backups, states, clock })).purgeNote,
    ).toBe("removed from memory:blobs, older versions included");
    expect(world.backups.blobs.size).toBe(0);
  });

  it("says what the store keeps of what is purged, and purges what isn't listed too", async () => {
    world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
    await world.audit();
    const [[version, copy] = ["", { key: "" }]] = Object.entries((await world.state()).copies);
    const { backups, states, clock } = world.ports();
    const asked: string[] = [];
    const locked = {
      ...backups,
      async *list() {},
      remove: async (key: string) => {
        asked.push(key);
        return (
          "one version of the object is kept by an object lock until 2027-01-01T00:00:00.000Z; " +
          "remove it after that"
        );
      },
    };
    const { purgeNote } = await retireCopy(version, "leaked", true, {
      backups: locked,
      states,
      clock,
    });
    expect(asked).toEqual([copy.key]);
    expect(purgeNote).toBe(
      "removed from memory:blobs, but one version of the object is kept by an object lock " +
        "until 2027-01-01T00:00:00.000Z; remove it after that",
    );
  });
});

describe("a standby", () => {
  const corp = createAuthority({ name: "Corp" });

  it("is restored only when it is asked for, and never over a valid one", async () => {
    const real = world.issue(["a.example.com"]);
    world.put(tlsSecret("shop", "web-tls", real));
    await world.audit();
    const standby = corp.issue({
      names: ["a.example.com"],
      notBefore: new Date(world.nowMs - DAY_MS),
      notAfter: new Date(world.nowMs + 400 * DAY_MS),
    });
    const bytes = {
      certificate: Buffer.from(standby.certificatePem),
      key: Buffer.from(standby.keyPem),
    };
    const { notes } = await importStandby(
      {
        cluster: "prod",
        namespace: "shop",
        secret: "web-tls",
        ...bytes,
        recipients: [world.recipient],
      },
      world.ports(),
    );
    expect(notes).toEqual([]);
    expect(outcomes(await restore(world, { names: ["shop/web-tls"], standby: true }))).toEqual([
      "a.example.com keep kept already_there",
    ]);
    const [version] = Object.entries((await world.state()).copies).find(
      ([, { kind }]) => kind === "certificate",
    ) ?? [""];
    await retireCopy(version, "revoked", true, world.ports());
    expect(outcomes(await restore(world, { names: ["shop/web-tls"], standby: true }))).toEqual([
      "a.example.com keep kept live_valid",
    ]);
    world.sandbox.remove("shop", "web-tls");
    expect((await restore(world, { names: ["shop/web-tls"] })).items[0]?.item.rule).toBe("refuse");
    expect(outcomes(await restore(world, { names: ["shop/web-tls"], standby: true }))).toEqual([
      "a.example.com restore done secret_absent",
    ]);
    expect(dataAt(world.sandbox, "shop", "web-tls")).toEqual({
      "tls.crt": Buffer.from(standby.certificatePem).toString("base64"),
      "tls.key": Buffer.from(standby.keyPem).toString("base64"),
    });
  });

  it(
    "is told to be of no help for a Secret of Tailscale's, and a pair that can't serve isn't " +
      "taken",
    async () => {
      world.put(ingressSecret(DOMAIN, world.issue([DOMAIN])));
      await world.audit();
      const pair = corp.issue({
        names: [DOMAIN],
        notBefore: new Date(world.nowMs - DAY_MS),
        notAfter: new Date(world.nowMs + 400 * DAY_MS),
      });
      const other = corp.issue({
        names: [DOMAIN],
        notBefore: new Date(world.nowMs - 9 * DAY_MS),
        notAfter: new Date(world.nowMs - DAY_MS),
      });
      const give = (certificate: string, key: string) =>
        importStandby(
          {
            cluster: "prod",
            namespace: "tailscale",
            secret: DOMAIN,
            certificate: Buffer.from(certificate),
            key: Buffer.from(key),
            recipients: [world.recipient],
          },
          world.ports(),
        );
      expect((await give(pair.certificatePem, pair.keyPem)).notes[0]).toContain(
        "discard a certificate of another origin",
      );
      await expect(give(pair.certificatePem, other.keyPem)).rejects.toThrow(
        "the key can't be used: the private key doesn't match the certificate",
      );
      await expect(give(other.certificatePem, other.keyPem)).rejects.toThrow("expired");
      await expect(give("nothing", pair.keyPem)).rejects.toThrow("can't be read");
      world.sandbox.remove("tailscale", DOMAIN);
      await retireCopy(
        Object.entries((await world.state()).copies).find(
          ([, { kind }]) => kind === "certificate",
        )?.[0] ?? "",
        "leaked",
        true,
        world.ports(),
      );
      const report = await restore(world, { names: [DOMAIN], standby: true });
      expect(report.items[0]?.item.why).toMatchObject([{ code: "standby_for_tailscale" }]);
      expect(dataAt(world.sandbox, "tailscale", DOMAIN)).toBeNull();
    },
  );
});
