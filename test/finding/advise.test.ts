/** What is advised is what the restore planner and the rate limits say, for every kind of finding. */
import { describe, expect, it } from "vitest";
import { createAcross, partOf } from "../../lib/finding/across.ts";
import { clusterFindings } from "../../lib/finding/cluster.ts";
import { itemsOf } from "../../lib/report/items.ts";
import { itemLines } from "../../lib/report/items/lines.ts";
import { type FindingDocument, findingDocument } from "../../lib/report/phrases.ts";
import { PLAIN } from "../../lib/report/text.ts";
import { formatMs } from "../../lib/certificate/time.ts";
import type { CertificateRecord, StateDocument } from "../../lib/state/document.ts";
import { certificate, copy, NOW_MS, secret, state } from "./fixture.ts";

const NAME = "shop.tail1a2b3.ts.net";
const KEY = `tailscale/${NAME}`;
const DAY = 86_400_000;
const LE = {
  id: "letsencrypt",
  title: "Let's Encrypt",
  environment: "production",
  limits: {
    perSet: { count: 5, periodMs: 7 * DAY },
    perDomain: { count: 50, periodMs: 7 * DAY },
  },
} as const;

/** A running refusal of that set, from the log of a pod. */
const REFUSED = {
  evidence: {
    refusals: [
      {
        issuer: "letsencrypt",
        kind: "set",
        key: NAME,
        retryAtMs: NOW_MS + 5 * 3_600_000,
        seenAtMs: NOW_MS - 3_600_000,
        cluster: "prod",
        where: "tailscale/pg-0",
        burst: 5,
      },
    ],
  },
};

function found(of: StateDocument) {
  const options = { issuers: [LE], overrides: [], atMs: NOW_MS, nowMs: NOW_MS };
  const across = createAcross([partOf(of, NOW_MS)], options as never);
  return clusterFindings(of, { atMs: NOW_MS, ignore: [], across }).said;
}
function told(of: StateDocument, code: string): FindingDocument | undefined {
  return found(of)
    .map(findingDocument)
    .find((one) => one.code === code);
}

function standing(live: CertificateRecord, over: object = {}): StateDocument {
  return state({ [KEY]: secret({ certificates: { tls: live } }) }, over);
}
const lasting = (days: number, over: Partial<CertificateRecord> = {}): CertificateRecord => {
  const [notBefore, notAfter] = [
    formatMs(NOW_MS + (days - 90) * DAY),
    formatMs(NOW_MS + days * DAY),
  ];
  return certificate({
    notBefore,
    notAfter,
    issuedAt: notBefore,
    windows: [[notBefore, notAfter]],
    ...over,
  });
};
const spoilt = certificate({ windows: [], reasons: ["key_mismatch"], keyFits: false, copy: null });

describe("a running refusal", () => {
  it("of a certificate that fails and has a backup: restore it", () => {
    const document = told(standing(spoilt, { ...REFUSED, copies: { v1: copy() } }), "rate_limited");
    expect(document?.advice).toMatch(
      /^Restore from backup \(uses no issuance\)\. The issuer refuses/,
    );
    expect(document?.command).toBe(`certkeep restore prod ${NAME}`);
  });

  it("without one: wait", () => {
    const document = told(standing(spoilt, REFUSED), "rate_limited");
    expect(document?.advice).toMatch(/^No usable backup: wait, or use another host name\./);
  });

  it.each([
    ["renewal_overdue", 20],
    ["expiring", 5],
  ])("of a certificate that is valid: %s doesn't advise to open the service", (code, days) => {
    const live = lasting(days);
    expect(told(standing(live), code)?.advice).toMatch(/open.*the service once/i);
    const document = told(standing(live, REFUSED), code);
    expect(document?.advice).toMatch(
      /^Wait: the issuer allows no certificate for these names yet\./,
    );
    expect(document?.advice).not.toMatch(/open/i);
  });
});

it.each([
  ["renewal_overdue", 20],
  ["expiring", 5],
])("%s: a backup that is valid for longer is restored", (code, days) => {
  const document = told(
    standing(lasting(days, { copy: null, sha256: "old" }), { copies: { v1: copy() } }),
    code,
  );
  expect(document?.advice).toMatch(/^Restore from backup/);
  expect(document?.command).toBe(`certkeep restore prod ${NAME}`);
});

it("a store that can't be read: check that first, by doctor", () => {
  const one = standing(spoilt, { copies: { v1: copy() } });
  const unread = [
    { scope: "backups", code: "store_failed", message: "no", since: "2026-11-23T11:00:00Z" },
  ];
  const audit = { ...one.audit, unread } as never;
  const document = told({ ...one, audit }, "certificate_invalid");
  expect(document?.advice).toMatch(/^Check the backup store first/);
  expect(document?.command).toBe("certkeep doctor");
});

describe("in a terminal", () => {
  const lines = (of: StateDocument): string =>
    itemLines(itemsOf({ findings: found(of), nameOf: (cluster) => cluster, nowMs: NOW_MS }), {
      nowMs: NOW_MS,
      width: 200,
      style: PLAIN,
      several: false,
      names: 50,
      verbose: false,
    }).lines.join("\n");

  it("what only explains a finding isn't shown as what does the advice", () => {
    expect(lines(standing(spoilt))).toMatch(
      /; no usable backup\n +Fix +Open https:\S+ once; Tailscale requests a new certificate.*\n +Details +certkeep explain /,
    );
    expect(lines(standing(spoilt, { copies: { v1: copy() } }))).toMatch(
      /Restore +certkeep restore prod shop\.tail1a2b3\.ts\.net --apply$/,
    );
  });

  it("of more than twenty of one cause each is told what to do about it", () => {
    const secrets = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => {
        const name = `s${i}.tail1a2b3.ts.net`;
        const own = { ...spoilt, domain: name, names: [name] };
        return [`tailscale/${name}`, secret({ certificates: { tls: own } })];
      }),
    );
    const copies = Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => {
        const name = `s${i}.tail1a2b3.ts.net`;
        return [`v${i}`, copy({ secret: name, names: [name] })];
      }),
    );
    const text = lines(state(secrets, { copies }));
    expect(text).toMatch(
      /10 certificates: private key doesn't match the certificate; all backed up\n[^]*Restore +certkeep restore prod /,
    );
    expect(text).toMatch(
      /20 certificates: private key doesn't match the certificate; no usable backups\n[^]*Fix +Open each service once/,
    );
  });
});

describe("a registration that may only read", () => {
  const registered = (kind: string, parts?: string[]): Partial<StateDocument> => ({
    copies: { v1: copy() },
    credential: {
      ...{ kind, endsAt: null, madeAt: null, namespaces: ["tailscale"] },
      ...(parts === undefined ? {} : { parts }),
    },
  });
  const commands = (over: Partial<StateDocument>): readonly string[] =>
    itemsOf({
      findings: found(standing(spoilt, over)),
      nameOf: (cluster) => cluster,
      nowMs: NOW_MS,
    }).flatMap(({ fix }) => fix.commands);
  const restore = `certkeep restore prod ${NAME} --apply`;

  it.each([
    ["token", "certkeep clusters add prod --with restore"],
    ["eks", "certkeep clusters add prod --with restore --restore-role ARN"],
  ])("is registered to restore first: %s", (kind, first) => {
    expect(commands(registered(kind, ["secrets", "parents"]))).toEqual([first, restore]);
  });

  it("restores at once where it has the part, where that isn't known, or a person brought it", () => {
    for (const over of [
      registered("token", ["secrets", "restore"]),
      registered("token"),
      registered("kubeconfig", ["secrets"]),
    ])
      expect(commands(over)).toEqual([restore]);
  });

  it("is registered to replace a Secret that can't be changed", () => {
    const of = standing(spoilt, registered("token", ["secrets", "restore"]));
    const immutable = secret({ certificates: { tls: spoilt }, immutable: true });
    const [item] = itemsOf({
      findings: found({ ...of, secrets: { [KEY]: immutable } }),
      nameOf: (cluster) => cluster,
      nowMs: NOW_MS,
    });
    expect(item?.fix.commands).toEqual([
      "certkeep clusters add prod --with replace",
      `certkeep restore prod ${NAME} --replace --apply`,
    ]);
  });
});

describe("a running refusal of a registered domain", () => {
  const [refusal] = REFUSED.evidence.refusals;
  const refused = {
    evidence: { refusals: [{ ...refusal, kind: "domain", key: "tail1a2b3.ts.net" }] },
  };

  it("stops new names alone, and says so: renewals go on", () => {
    const document = told(standing(lasting(40), refused), "rate_limited");
    expect(document).toMatchObject({
      seen: expect.stringMatching(
        /^The issuer refuses new names under tail1a2b3\.ts\.net until/,
      ) as string,
      leadsTo: "No first certificate for a new name under this domain until then; renewals go on.",
      advice: expect.stringMatching(
        /^Wait with new names under this domain; what exists is renewed all the same/,
      ) as string,
    });
  });
});

describe("bytes that Go rejects", () => {
  const stored = (kind: string, over: object = {}, reasons = ["certificate_not_pem"]) =>
    state(
      {
        [KEY]: secret({
          certificates: {},
          gaps: {
            tls: {
              domain: NAME,
              state: "unreadable",
              reasons,
              hints: [{ field: "certificate", kind, at: null }],
              since: formatMs(NOW_MS),
              held: null,
            },
          },
        }),
      },
      over,
    );
  const spoiltBy = (kind: string): StateDocument =>
    standing({ ...spoilt, hints: [{ field: "certificate", kind, at: 2 }] });

  it.each(["der", "line_breaks", "escaped_line_breaks", "byte_order_mark", "pkcs7", "passphrase"])(
    "are converted where they hold what is needed: %s",
    (kind) => {
      expect(told(stored(kind), "certificate_invalid")).toMatchObject({
        advice: "Convert what is stored as described: it needs no new certificate.",
      });
    },
  );

  it("are converted where another certificate of the chain is the right one", () => {
    expect(told(spoiltBy("leaf_not_first"), "certificate_invalid")?.advice).toMatch(/^Convert /);
  });

  it.each(["no_end_line", "request", "blank", "of_a_newer_version"])(
    "need another certificate where they don't: %s",
    (kind) => {
      expect(told(stored(kind), "certificate_invalid")?.advice).toMatch(/^No usable backup/);
      expect(told(spoiltBy(kind), "certificate_invalid")?.advice).toMatch(/^No usable backup/);
    },
  );

  it("are restored where there is a backup", () => {
    expect(told(stored("der", { copies: { v1: copy() } }), "certificate_invalid")).toMatchObject({
      command: `certkeep restore prod ${NAME}`,
      advice: expect.stringMatching(/^Restore/) as string,
    });
  });

  it("need another certificate where this one has expired", () => {
    expect(told(stored("der", {}, ["expired"]), "certificate_invalid")?.advice).toMatch(
      /^No usable backup/,
    );
  });
});
