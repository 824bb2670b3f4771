/**
 * A thousand random histories of audit, loss, change, restore and retention against a simple model:
 * a valid certificate is never replaced by a worse one, none that was ever seen valid is lost while
 * it is within validity, and what an audit advises is what a restore would do.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { parseDocument } from "../../lib/backup/document.ts";
import { createKit } from "../../lib/wiring/kit.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { Opener, Sealer } from "../../lib/ports/stores.ts";
import { createAuthority, type Issued } from "../support/pki.ts";
import { createKey, keyPemOf } from "../support/x509.ts";
import { auditAll, type AuditedTarget } from "../../lib/usecases/audit.ts";
import { runDrill } from "../../lib/usecases/drill.ts";
import { runRestore } from "../../lib/usecases/restore.ts";
import type { RestoreReport } from "../../lib/usecases/restore/context.ts";
import { createMemoryCluster } from "../support/cluster.ts";
import { createMemoryBlobs, createMemoryStates, Faults } from "../support/memory.ts";
import { REQUEST } from "../support/restoring.ts";
import { base64, DAY_MS, ingressSecret } from "../support/world.ts";

const START_MS = Date.UTC(2026, 0, 10);
const authority = createAuthority({ name: "Model" });
const kit = createKit([
  createIssuer({ id: "model", title: "Model", anchorsPem: authority.root.pem }),
]);
const [key, wrongKey] = [createKey("P-256"), createKey("P-256")];
const DOMAIN = "shop.tail1a2b3.ts.net";
/** Two places: a ProxyGroup's Secret, and generic TLS. */
const PLACES = [
  {
    namespace: "tailscale",
    name: DOMAIN,
    names: [DOMAIN],
    labels: ingressSecret(DOMAIN, null).metadata.labels ?? {},
  },
  { namespace: "shop", name: "web-tls", names: ["a.example.com"], labels: { team: "web" } },
] as const;

/** What an owner may write: pairs of several lengths, and what no client takes. */
interface Variant {
  readonly pair: Pick<Issued, "certificatePem" | "keyPem">;
  readonly sha256: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly holds: boolean;
}

/**
 * `other_key` and `cut`: the very leaf of `good`, with another key, or without its intermediates.
 */
const KINDS = ["good", "wrong_key", "wrong_name", "other_key", "cut"] as const;
type Kind = (typeof KINDS)[number];

const issued = new Map<string, Variant>();
/** `start` and `days` count from the beginning of a history; each serial is one certificate. */
function variantOf(place: number, start: number, days: number, kind: Kind): Variant {
  const id = `${place} ${start} ${days} ${kind}`;
  const known = issued.get(id);
  if (known !== undefined) return known;
  if (kind === "other_key" || kind === "cut") {
    const good = variantOf(place, start, days, "good");
    const { certificatePem, keyPem } = good.pair;
    const [leaf = ""] = certificatePem.split(/(?<=-----END CERTIFICATE-----\n)/);
    const pair =
      kind === "cut"
        ? { certificatePem: leaf, keyPem }
        : { certificatePem, keyPem: keyPemOf(wrongKey) };
    const spoilt = { ...good, pair, sha256: `${good.sha256} ${kind}`, holds: false };
    issued.set(id, spoilt);
    return spoilt;
  }
  const names =
    kind === "wrong_name" ? ["elsewhere.example.com"] : [...(PLACES[place]?.names ?? [])];
  const notBeforeMs = START_MS + start * DAY_MS - 3_600_000;
  const notAfterMs = START_MS + (start + days) * DAY_MS;
  const made = authority.issue({
    names,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    key,
  });
  const other = authority.issue({
    names,
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    key: wrongKey,
  });
  // A name that isn't the Secret's is refused for a ProxyGroup; generic TLS takes its names from
  // the leaf.
  const variant: Variant = {
    pair:
      kind === "wrong_key" ? { certificatePem: made.certificatePem, keyPem: other.keyPem } : made,
    sha256: made.sha256,
    notBeforeMs,
    notAfterMs,
    holds: kind === "good" || (kind === "wrong_name" && place === 1),
  };
  issued.set(id, variant);
  return variant;
}

const HEAD = "-----BEGIN AGE ENCRYPTED FILE-----\n";
const END = "\n-----END AGE ENCRYPTED FILE-----\n";
const sealer: Sealer = {
  seal: async (plaintext) => `${HEAD}${Buffer.from(plaintext).toString("base64")}${END}`,
};
const opener: Opener = {
  recipients: ["age1model"],
  open: async (sealed) => Buffer.from(sealed.slice(HEAD.length, -END.length), "base64"),
};

type Step =
  | { readonly do: "audit" | "restore" | "drill" }
  | { readonly do: "killed_restore"; readonly call: number; readonly when: "before" | "after" }
  | { readonly do: "lose"; readonly place: number }
  | { readonly do: "empty"; readonly place: number }
  | {
      readonly do: "write";
      readonly place: number;
      readonly days: number;
      readonly kind: Kind;
    }
  | { readonly do: "wait"; readonly days: number }
  | { readonly do: "version"; readonly pick: number };

const place = fc.constantFrom(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ do: "audit" }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "restore" }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("killed_restore" as const),
      call: fc.integer({ min: 1, max: 20 }),
      when: fc.constantFrom("before" as const, "after" as const),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ do: "drill" }) },
  {
    weight: 3,
    arbitrary: fc.oneof(
      fc.record({ do: fc.constant("lose" as const), place }),
      fc.record({ do: fc.constant("empty" as const), place }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      place,
      days: fc.constantFrom(5, 40, 80),
      kind: fc.constantFrom<Kind[]>("good", "good", ...KINDS),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("wait" as const), days: fc.constantFrom(1, 20, 35) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("version" as const), pick: fc.nat(20) }) },
);

/** An owner's renewal that an audit sees: many of them make retention decide. */
const renewal = fc
  .record({ place, days: fc.constantFrom(40, 80), wait: fc.constantFrom(0, 1) })
  .map(({ place: at, days, wait }): Step[] => [
    { do: "wait", days: wait },
    { do: "write", place: at, days, kind: "good" },
    { do: "audit" },
  ]);
/** What was seen valid is spoilt under the same leaf. */
const spoiling = fc
  .record({ place, kind: fc.constantFrom("other_key" as const, "cut" as const) })
  .map(({ place: at, kind }): Step[] => [
    { do: "write", place: at, days: 80, kind: "good" },
    { do: "audit" },
    { do: "write", place: at, days: 80, kind },
    { do: "audit" },
  ]);
const histories = (most: number): fc.Arbitrary<Step[]> =>
  fc
    .array(
      fc.oneof(
        { weight: 5, arbitrary: step.map((one) => [one]) },
        { weight: 2, arbitrary: renewal },
        { weight: 1, arbitrary: spoiling },
      ),
      { minLength: 2, maxLength: most },
    )
    .map((parts) => parts.flat());

type Plan = (request: Partial<typeof REQUEST>) => Promise<RestoreReport>;

class Killed extends Error {}

/**
 * Lives a history through. `onAudited` is called after each audit, with what a restore would do.
 * @returns when what is live in each place ends, `null` where nothing valid is
 */
async function live(
  history: readonly Step[],
  onAudited: (clusters: readonly AuditedTarget[], plan: Plan) => Promise<void> = async () => {},
): Promise<(number | null)[]> {
  const cluster = createMemoryCluster();
  const faults = new Faults();
  const [backups, states] = [createMemoryBlobs(faults), createMemoryStates(faults)];
  let nowMs = START_MS;
  let day = 0;
  const all = new Map<string, Variant>();
  /** Leaves that an audit, or a restore before it replaced them, had to keep. */
  const seen = new Set<string>();
  const clock = { nowMs: () => nowMs };
  const ports = {
    backups,
    states,
    sealer,
    clock,
    kit,
    progress: { step: () => {}, note: () => {} },
    dryRun: false,
  };
  const settings = {
    namespaces: null,
    selector: null,
    secrets: [],
    operatorNamespace: "tailscale",
    operatorSecret: "operator",
    recipients: ["age1model"],
    copiesPerDay: 1000,
  };
  const target = {
    name: "prod",
    title: "prod",
    server: "memory:",
    homeNamespace: null,
    reader: cluster.reader,
    writer: cluster.writer,
    settings,
  };

  const liveAt = (index: number): Variant | null => {
    const at = PLACES[index];
    const certificate = cluster.secrets.get(`${at?.namespace}/${at?.name}`)?.data["tls.crt"];
    const secretKey = cluster.secrets.get(`${at?.namespace}/${at?.name}`)?.data["tls.key"];
    return (
      [...all.values()].find(
        ({ pair }) =>
          base64(pair.certificatePem) === certificate && base64(pair.keyPem) === secretKey,
      ) ?? null
    );
  };
  const isValid = (variant: Variant | null): variant is Variant =>
    variant !== null &&
    variant.holds &&
    variant.notBeforeMs <= nowMs &&
    nowMs <= variant.notAfterMs;
  const stored = async (): Promise<Set<string>> => {
    const found = new Set<string>();
    for (const bytes of backups.blobs.values()) {
      const parsed = parseDocument(new TextDecoder().decode(bytes));
      if (!parsed.ok) throw new Error("a damaged copy");
      const manifest = JSON.parse(
        new TextDecoder().decode(await opener.open(parsed.document.sealed)),
      ) as { data: Record<string, string> };
      for (const variant of all.values())
        if (
          base64(variant.pair.certificatePem) === manifest.data["tls.crt"] &&
          base64(variant.pair.keyPem) === manifest.data["tls.key"]
        )
          found.add(variant.sha256);
    }
    return found;
  };
  const plan: Plan = (request) =>
    runRestore(
      target,
      { ...REQUEST, ...request, mode: "plan" },
      { ...ports, opener, timer: { sleep: async () => {} }, revocation: null, holder: "plan" },
    );
  const restore = async (request: Partial<typeof REQUEST>): Promise<void> => {
    const before = PLACES.map((_, index) => liveAt(index));
    const timer = {
      sleep: async (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve) =>
          ms > 5_000
            ? signal?.addEventListener("abort", () => resolve())
            : void ((nowMs += ms), resolve()),
        ),
    };
    await runRestore(
      target,
      { ...REQUEST, ...request },
      {
        ...ports,
        opener,
        timer,
        revocation: null,
        holder: `run-${Math.floor(nowMs)}-${seen.size}`,
      },
    ).catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
    for (const [index, was] of before.entries()) {
      const is = liveAt(index);
      if (isValid(was)) {
        expect(isValid(is), "a valid certificate was replaced by one that isn't").toBe(true);
        expect(is?.notAfterMs).toBeGreaterThanOrEqual(was.notAfterMs);
        // What was replaced, though it was valid, is kept.
        if (is?.sha256 !== was.sha256) seen.add(was.sha256);
      }
    }
  };

  for (const one of history) {
    faults.clear();
    switch (one.do) {
      case "audit":
        await onAudited((await auditAll([target], ports, [])).clusters, plan);
        for (const index of PLACES.keys()) {
          const variant = liveAt(index);
          if (isValid(variant)) seen.add(variant.sha256);
        }
        break;
      case "restore":
        await restore({ all: true });
        await restore({ all: true });
        break;
      case "killed_restore":
        faults.add({ nth: one.call, when: one.when, error: () => new Killed() });
        await restore({ all: true });
        faults.clear();
        nowMs += 31_000;
        break;
      case "version": {
        const keys = [...backups.blobs.keys()];
        const version = keys[one.pick % Math.max(1, keys.length)]
          ?.split("/")
          .at(-1)
          ?.replace(".json", "");
        const recorded =
          version !== undefined &&
          (states.states.get("cluster-prod")?.text ?? "").includes(version);
        if (version !== undefined && recorded) await restore({ version });
        break;
      }
      case "drill":
        await runDrill(
          {
            backups,
            states,
            opener,
            kit,
            clock,
            progress: ports.progress,
            recipientsFor: () => ["age1model"],
            remove: true,
          },
          [],
        );
        break;
      case "lose":
        cluster.secrets.delete(`${PLACES[one.place]?.namespace}/${PLACES[one.place]?.name}`);
        break;
      case "empty":
      case "write": {
        const written = one.do === "empty" ? null : variantOf(one.place, day, one.days, one.kind);
        const at = PLACES[one.place];
        if (at === undefined) break;
        if (written !== null) all.set(JSON.stringify([one.place, day, one]), written);
        cluster.put({
          namespace: at.namespace,
          name: at.name,
          type: "kubernetes.io/tls",
          labels: at.labels,
          data: {
            "tls.crt": base64(written?.pair.certificatePem ?? ""),
            "tls.key": base64(written?.pair.keyPem ?? ""),
          },
        });
        break;
      }
      case "wait":
        nowMs += one.days * DAY_MS;
        day += one.days;
        break;
    }
    const there = await stored();
    for (const variant of all.values()) {
      if (!seen.has(variant.sha256) || !variant.holds || nowMs > variant.notAfterMs) continue;
      expect(
        there.has(variant.sha256),
        `a certificate that was seen valid is lost after ${one.do}`,
      ).toBe(true);
    }
  }
  return PLACES.map((_, index) => {
    const variant = liveAt(index);
    return isValid(variant) ? variant.notAfterMs : null;
  });
}

it("no history of a thousand makes anything worse, or loses what was seen valid", async () => {
  await fc.assert(
    fc.asyncProperty(histories(12), async (history) => void (await live(history))),
    { numRuns: 1000, endOnFailure: false },
  );
}, 300_000);

it("what an audit kept comes back, or something that is valid for longer", async () => {
  await fc.assert(
    fc.asyncProperty(histories(8), fc.constantFrom(40, 80), async (history, days) => {
      const passed = history.reduce((sum, one) => sum + (one.do === "wait" ? one.days : 0), 0);
      const [end] = await live([
        ...history,
        { do: "write", place: 0, days, kind: "good" },
        { do: "audit" },
        { do: "lose", place: 0 },
        { do: "restore" },
      ]);
      expect(end).toBeGreaterThanOrEqual(START_MS + (passed + days) * DAY_MS);
    }),
    { numRuns: 60 },
  );
}, 120_000);

it("what an audit advises about a certificate is what a restore of it would do", async () => {
  let offers = 0;
  const compare = async (audited: readonly AuditedTarget[], plan: Plan): Promise<void> => {
    for (const { code, params, actions, subject } of audited.flatMap(({ findings }) => findings)) {
      if (!("backup" in params) || subject.secret === null) continue;
      const offered = actions.find((action) => action.kind === "restore");
      const { items } = await plan({ ...offered, names: [subject.secret] });
      const restored = items.some(
        ({ item, outcome }) => item.from.secret === subject.secret && outcome === "planned",
      );
      expect([code, params.backup === "restorable", offered !== undefined]).toEqual([
        code,
        restored,
        restored,
      ]);
      offers += Number(restored);
    }
  };
  await fc.assert(
    fc.asyncProperty(histories(8), async (history) => void (await live(history, compare))),
    { numRuns: 200 },
  );
  expect(offers).toBeGreaterThan(50);
}, 120_000);
