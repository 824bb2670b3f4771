/**
 * For each cause a state in which it holds, and the same but for one thing in which it doesn't, or
 * less surely.
 */
import { describe, expect, it } from "vitest";
import type { Diagnosis } from "../../lib/diagnosis/cause.ts";
import { Doctor } from "../../lib/diagnosis/diagnose.ts";
import { patternOf } from "../../lib/diagnosis/churn.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import { certificate, secret, state, NOW_MS } from "../finding/fixture.ts";
import {
  acrossOf,
  answer,
  DAY_MS,
  event,
  history,
  HOUR_MS,
  iso,
  issued,
  KEY,
  look,
  MINUTE,
  NAME,
  observed,
  sign,
  window,
  commandsOf,
  diagnose,
  fresh,
  REISSUED,
  shop,
  told,
} from "./support.ts";
import { plainText } from "../../lib/report/part.ts";
import { becausePlain, diagnosisText, seenText } from "../../lib/report/phrases/causes.ts";
import { missingText } from "../../lib/report/phrases/missing.ts";
import { measureDocument } from "../../lib/report/phrases/measures.ts";

describe("nothing and unknown", () => {
  it("finds nothing where one certificate was issued once", () => {
    expect(told(diagnose(state({ [KEY]: fresh() }, observed())))).toEqual(["none"]);
  });

  it("finds nothing in a renewal that was due", () => {
    expect(
      told(
        diagnose(
          state({ [KEY]: fresh() }, { ...observed(), evidence: history([[61 * DAY_MS, "a1"]]) }),
        ),
      ),
    ).toEqual(["none"]);
  });

  it("finds nothing where the issuer asked for the renewal, or had revoked the one before", () => {
    const asked = shop(
      {},
      observed({
        windows: [window("a1", { startMs: NOW_MS - 3 * HOUR_MS, endMs: NOW_MS - 2 * HOUR_MS })],
      }),
    );
    expect(diagnose(asked).needlessMs).toEqual([]);
    expect(told(diagnose(asked))).toEqual(["caused", "renewal_window_forced proven over"]);
    const revoked = shop(
      {},
      observed({
        revocations: [
          {
            issuer: "letsencrypt",
            serial: "00A1",
            revokedMs: NOW_MS - 3 * HOUR_MS,
            reason: null,
            list: "http://crl",
            askedMs: NOW_MS,
            nextMs: NOW_MS,
          },
        ],
      }),
    );
    expect(told(diagnose(revoked))).toEqual(["none"]);
  });

  it("says that it doesn't know, and that everything was read", () => {
    const unknown = diagnose(shop());
    expect(told(unknown)).toEqual(["unknown"]);
    expect(unknown.needlessMs).toEqual([NOW_MS - HOUR_MS]);
    expect(plainText(diagnosisText(unknown))).toBe(
      "Cause unknown: logs, Events and access reviews were read and name none.",
    );
  });

  it("says what is missing, and the setting that would show it", () => {
    const unknown = diagnose(state({ [KEY]: fresh() }, REISSUED));
    expect(plainText(diagnosisText(unknown))).toBe(
      "Cause unknown: logs not enabled, access reviews not enabled, Events not enabled.",
    );
    expect(commandsOf(unknown)[0]).toBe(
      "certkeep clusters add prod --parts secrets --parts parents --parts diagnosis",
    );
  });

  it.each([
    ["forbidden", "logs denied since 2026-11-23T09:00:00Z", "--parts diagnosis"],
    ["timeout", "logs timed out since 2026-11-23T09:00:00Z", "certkeep doctor prod"],
    ["constructor", "logs constructor since 2026-11-23T09:00:00Z", "certkeep doctor prod"],
  ])("logs that were %s", (code, text, command) => {
    const of = diagnose(
      shop(
        {},
        observed({
          looks: [
            look("logs", { code, sinceMs: NOW_MS - 3 * HOUR_MS, wholeMs: null }),
            look("events"),
            look("access"),
          ],
        }),
      ),
    );
    expect(of.missing.map((one) => plainText(missingText(one)))).toEqual([text]);
    expect(commandsOf(of)[0]).toContain(command);
  });

  it(
    "tells of the operator's log level where the certificate is the operator's, and of its own " +
      "owner's log where it isn't",
    () => {
      const looks = [
        look("logs", { scope: "tailscale/operator-5d9c8-x2k4q/operator", code: "debug_off" }),
        look("events"),
        look("access"),
      ];
      const operators = state(
        { "tailscale/operator": fresh({ shape: "operator" }) },
        { ...observed({ looks }), ...REISSUED },
      );
      const { missing } = diagnose(operators);
      expect(missing.map((one) => [one.code, plainText(missingText(one))])).toEqual([
        ["debug_off", "logs without certificate lines, which are logged at debug level only"],
      ]);
      expect(missing.map(({ measure }) => measure && measureDocument(measure).command)).toEqual([
        "kubectl set env deployment/operator -n tailscale OPERATOR_LOGGING=debug",
      ]);
      expect(diagnose(shop({}, observed({ looks }))).missing.map(({ code }) => code)).toEqual([
        "not_asked",
      ]);
      expect(
        diagnose(
          shop({}, observed({ looks: [...looks, look("logs")], access: [answer("patch", true)] })),
        ).missing,
      ).toEqual([]);
    },
  );

  it("says that no pod matches, and no later audit or setting helps there", () => {
    const looks = [
      look("logs", { scope: "tailscale, pods app=operator", code: "no_pod", sinceMs: null }),
      look("events"),
      look("access"),
    ];
    const of = diagnose(shop({ shape: "operator" }, observed({ looks })));
    expect(of.missing.map((one) => [plainText(missingText(one)), one.measure])).toEqual([
      ["logs not read, as no pod matches", null],
    ]);
  });

  it.each([
    ["StatefulSet", "kubectl logs statefulset/app -n tailscale --all-containers"],
    ["Certificate", null],
    [null, null],
  ])("of a sidecar offers its pods' log by its controller: %s", (kind, command) => {
    const parent =
      kind === null ? null : { apiVersion: "v1", kind, namespace: "tailscale", name: "app" };
    const of = diagnose(shop({ shape: "sidecar", parent }));
    expect(of.missing.map(({ code }) => code)).toEqual(["sidecar"]);
    expect(commandsOf(of)).toEqual([command]);
  });

  it("takes logs of another namespace for none", () => {
    const of = diagnose(
      shop(
        {},
        observed({
          looks: [look("logs", { scope: "other/x-0/tailscale" }), look("events"), look("access")],
        }),
      ),
    );
    expect(of.missing.map(({ code }) => code)).toEqual(["not_asked"]);
  });
});

describe("storage", () => {
  it.each([
    [
      "the server forbids it",
      shop({}, observed({ access: [answer("get", true), answer("patch", false)] })),
      ["caused", "storage proven"],
    ],
    [
      "an answer of two days ago",
      shop({}, observed({ access: [answer("patch", false, { atMs: NOW_MS - 2 * DAY_MS })] })),
      ["caused", "storage likely"],
    ],
    [
      "the server allows it",
      shop({}, observed({ access: [answer("get", true), answer("patch", true)] })),
      ["unknown"],
    ],
    [
      "an answer about another Secret",
      shop({}, observed({ access: [answer("patch", false, { secret: "tailscale/other" })] })),
      ["unknown"],
    ],
    ["immutable", shop({ immutable: true }), ["caused", "storage proven"]],
    ["immutable, of nobody", shop({ immutable: true, shape: "tls" }), ["unknown"]],
    [
      "got cert, then a failed write",
      shop(
        { certificates: { tls: issued(3 * HOUR_MS, "b2") } },
        observed({ signs: [sign("issued"), sign("store_write_failed", { code: "forbidden" })] }),
      ),
      ["caused", "storage proven"],
    ],
    [
      "a failed write, then a stored one",
      shop(
        {},
        observed({
          signs: [
            sign("store_write_failed", { code: "unavailable", lastMs: NOW_MS - 2 * HOUR_MS }),
          ],
        }),
      ),
      ["caused", "storage proven over"],
    ],
    [
      "a failed write of another name",
      shop(
        {},
        observed({ signs: [sign("store_write_failed", { domain: "other.tail1a2b3.ts.net" })] }),
      ),
      ["unknown"],
    ],
    [
      "a failed write of more than a week ago",
      shop(
        {},
        observed({
          signs: [
            sign("store_write_failed", {
              firstMs: NOW_MS - 9 * DAY_MS,
              lastMs: NOW_MS - 8 * DAY_MS,
            }),
          ],
        }),
      ),
      ["unknown"],
    ],
    [
      "an Event of the pod that writes it",
      shop(
        { certificates: { tls: issued(3 * HOUR_MS, "b2") } },
        observed({
          access: [answer("patch", true)],
          events: [event("TailscaleStateUpdateFailed")],
        }),
      ),
      ["caused", "storage likely"],
    ],
    [
      "an Event of some pod beside it",
      shop(
        { certificates: { tls: issued(3 * HOUR_MS, "b2") } },
        observed({ events: [event("TailscaleStateUpdateFailed", { object: "Pod/else" })] }),
      ),
      ["caused", "storage possible"],
    ],
    [
      "an Event that says nothing",
      shop({}, observed({ events: [event("TailscaledStateUpdated", { type: "Normal" })] })),
      ["unknown"],
    ],
    [
      "a Secret recreated",
      shop({
        uid: "u2",
        earlier: [
          {
            at: iso(NOW_MS - 10 * MINUTE),
            uid: "u1",
            base: "tls",
            state: "live",
            serial: "a1",
            reasons: [],
          },
        ],
      }),
      ["caused", "storage likely over"],
    ],
    [
      "the same Secret written again",
      shop({
        earlier: [
          {
            at: iso(NOW_MS - 10 * MINUTE),
            uid: "u1",
            base: "tls",
            state: "live",
            serial: "a1",
            reasons: [],
          },
        ],
      }),
      ["unknown"],
    ],
    [
      "fields that had been emptied",
      shop({
        earlier: [
          {
            at: iso(NOW_MS - 10 * MINUTE),
            uid: "u1",
            base: "tls",
            state: "empty",
            serial: "a1",
            reasons: ["certificate_empty"],
          },
        ],
      }),
      ["caused", "storage likely over"],
    ],
  ])("%s", (_, of, expected) => {
    expect(told(diagnose(of))).toEqual(expected);
  });

  it.each([
    ["operator", "tailscale/operator", "operator"],
    ["standalone", "tailscale/ts-shop-x7k2p-0", "proxies"],
    ["ha-ingress", KEY, NAME],
  ])("names the RoleBinding of %s", (shape, key, role) => {
    const of = state(
      { [key]: fresh({ shape }) },
      { ...observed({ access: [answer("update", false, { secret: key })] }), ...REISSUED },
    );
    const [cause] = new Doctor(of, acrossOf(of)).ofSet("letsencrypt", NAME).causes;
    expect(cause?.measures.map((measure) => measureDocument(measure).command)).toContain(
      `kubectl get rolebinding ${role} -n tailscale -o yaml`,
    );
    expect(cause && becausePlain(cause)).toBe(
      "the Secret can't be written (denied since 2026-11-23T07:00:00Z)",
    );
  });
});

describe("validation", () => {
  const wrong = {
    certificates: {
      tls: issued(HOUR_MS, "b2", { keyFits: false, windows: [], reasons: ["key_mismatch"] }),
    },
  };
  const chainless = {
    certificates: {
      tls: issued(HOUR_MS, "b2", { windows: [], reasons: ["missing_intermediate"] }),
    },
  };
  const certManager = {
    shape: "tls",
    parent: {
      apiVersion: "cert-manager.io/v1",
      kind: "Certificate",
      namespace: "tailscale",
      name: "x",
    },
  };
  it.each([
    ["a key that doesn't fit", shop(wrong), "caused"],
    ["a chain that lacks its intermediate", shop(chainless), "caused"],
    [
      "the same kept by cert-manager, which doesn't look",
      shop({ ...chainless, ...certManager }),
      "unknown",
    ],
    ["a key that doesn't fit, kept by cert-manager", shop({ ...wrong, ...certManager }), "caused"],
    ["a key that doesn't fit, kept by nobody", shop({ ...wrong, shape: "tls" }), "none"],
  ])("%s", (_, of, verdict) => {
    const { verdict: found, causes } = diagnose(of);
    expect(found).toBe(verdict);
    if (verdict === "caused")
      expect(causes).toMatchObject([
        { code: "validation_fails", confidence: "proven", overMs: null },
      ]);
  });

  it.each([
    [
      "refused then, good now",
      { serial: "a1", state: "live", reasons: ["wrong_name"] },
      ["caused", "validation_fails proven over"],
    ],
    [
      "unreadable then",
      { serial: null, state: "unreadable", reasons: ["certificate_not_pem"] },
      ["caused", "validation_fails proven over"],
    ],
    [
      "expired then: reissued with need",
      { serial: "a1", state: "live", reasons: ["expired"] },
      ["unknown"],
    ],
  ])("what stood there before the reissue: %s", (_, earlier, expected) => {
    expect(
      told(
        diagnose(
          shop({
            earlier: [{ at: iso(NOW_MS - 30 * MINUTE), uid: "u1", base: "tls", ...earlier }],
          }),
        ),
      ),
    ).toEqual(expected);
  });
});

describe("the issuer's word", () => {
  it.each([
    ["another account's", [sign("replaces_refused")], ["caused", "account_key_lost proven"]],
    [
      "another account's, of no name, by its controller's pod",
      [sign("replaces_refused", { domain: null })],
      ["caused", "account_key_lost likely"],
    ],
    [
      "another account's, of no name, in the namespace",
      [sign("replaces_refused", { domain: null, where: "tailscale/else-7/x" })],
      ["caused", "account_key_lost possible"],
    ],
    [
      "another account's, of no name, elsewhere",
      [sign("replaces_refused", { domain: null, where: "other/pg-0/x" })],
      ["unknown"],
    ],
    ["replaced already", [sign("already_replaced")], ["caused", "already_replaced proven"]],
  ])("%s", (_, signs, expected) => {
    expect(
      told(
        diagnose(
          shop(
            { certificates: { tls: issued(3 * HOUR_MS, "b2") } },
            observed({ signs, access: [answer("patch", true)] }),
          ),
        ),
      ),
    ).toEqual(expected);
  });

  it("sees by its thumbprint that the account key is another one now", () => {
    const copy = {
      namespace: "tailscale",
      secret: NAME,
      shape: "ha-ingress",
      fieldBase: "tls",
      kind: "certificate",
      names: [NAME],
      issuer: "letsencrypt",
      serial: "b2",
      sha256: "b2".padStart(64, "0"),
      notBefore: iso(NOW_MS - DAY_MS),
      notAfter: iso(NOW_MS + 60 * DAY_MS),
      issuedAt: iso(NOW_MS - HOUR_MS),
      account: "old",
      digest: "d",
      key: "k",
      recordedAt: iso(NOW_MS - HOUR_MS),
      seenValid: true,
      liveFrom: iso(NOW_MS - HOUR_MS),
      liveUntil: iso(NOW_MS),
    };
    const accounts = (thumbprint: string) => ({
      "acme-account.key.pem": { thumbprint, copy: null, notKept: null },
    });
    expect(told(diagnose(shop({ accounts: accounts("new") }, { copies: { v1: copy } })))).toEqual([
      "caused",
      "account_key_lost likely",
    ]);
    expect(told(diagnose(shop({ accounts: accounts("old") }, { copies: { v1: copy } })))).toEqual([
      "unknown",
    ]);
    // A restore is offered only where there is a backup of the key: of the old account's, wherever
    // it lay.
    const key = { ...copy, kind: "account-key", secret: "pg-0", sha256: null };
    const offered = (account: string): (string | null)[] =>
      diagnose(
        shop({ accounts: accounts("new") }, { copies: { v1: copy, v2: { ...key, account } } }),
      ).causes.flatMap(({ measures }) =>
        measures.map((measure) => measureDocument(measure).command),
      );
    expect(offered("new")).toEqual([null]);
    expect(offered("old")).toEqual([`certkeep restore prod ${NAME}`]);
  });

  it("tells a window that ends before the renewal is due, and none that doesn't", () => {
    const due = NOW_MS - HOUR_MS - 3_510_000 + 60 * DAY_MS;
    const of = (endMs: number): string[] =>
      told(
        diagnose(
          state(
            { [KEY]: fresh() },
            observed({ windows: [window("b2", { startMs: endMs - 3 * DAY_MS, endMs })] }),
          ),
        ),
      );
    expect(of(due - 2 * DAY_MS)).toEqual(["caused", "renewal_window_forced proven"]);
    expect(of(due + DAY_MS / 2)).toEqual(["none"]);
  });
});

describe("DNS", () => {
  const old = { certificates: { tls: issued(3 * HOUR_MS, "b2") } };
  it.each([
    ["a resolver", [sign("dns_failed", { code: "resolver" })], ["caused", "dns proven"]],
    ["a challenge", [sign("dns_failed", { code: "challenge" })], ["caused", "dns proven"]],
    ["HTTPS switched off", [sign("https_not_enabled")], ["caused", "dns proven"]],
    [
      "a failure after which one was issued",
      [sign("dns_failed"), sign("issued", { lastMs: NOW_MS - 10 * MINUTE })],
      ["caused", "dns proven over"],
    ],
  ])("%s", (_, signs, expected) => {
    expect(told(diagnose(shop(old, observed({ signs }))))).toEqual(expected);
  });

  it("takes an Event of the very Ingress", () => {
    const parent = {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      namespace: "shop",
      name: "web",
    };
    const events = [event("HTTPSNotEnabled", { namespace: "shop", object: "Ingress/web" })];
    expect(told(diagnose(shop({ ...old, parent }, observed({ events }))))).toEqual([
      "caused",
      "dns likely",
    ]);
    expect(
      told(diagnose(shop({ ...old, parent: { ...parent, name: "other" } }, observed({ events })))),
    ).toEqual(["unknown"]);
  });
});

describe("race", () => {
  const other = (serial: string, agoMs: number): StateDocument => ({
    ...state({ [KEY]: secret({ certificates: { tls: issued(agoMs, serial) } }) }, observed()),
    cluster: "dr",
    title: "dr",
  });

  it("is proven by two clusters that each have one issued within minutes", () => {
    const one = state({ [KEY]: fresh() }, observed());
    expect(told(diagnose(one, other("c3", HOUR_MS - 3 * MINUTE)))).toEqual([
      "caused",
      "race proven",
    ]);
    const [cause] = diagnose(one, other("c3", HOUR_MS - 3 * MINUTE)).causes;
    expect(cause?.evidence.map(({ seen }) => plainText(seenText(seen)))[0]).toContain(
      "held by dr tailscale/shop.tail1a2b3.ts.net, prod tailscale/shop.tail1a2b3.ts.net",
    );
  });

  it("is proven by two Secrets of one cluster, each with its own, days apart", () => {
    const both = state(
      {
        [KEY]: fresh(),
        "shop/web": secret({
          shape: "tls",
          uid: "u9",
          certificates: { tls: issued(2 * DAY_MS, "c3", { domain: null }) },
        }),
      },
      observed(),
    );
    expect(told(diagnose(both))).toEqual(["caused", "race proven"]);
  });

  it("is none where one certificate is copied on purpose", () => {
    const both = state(
      {
        [KEY]: fresh(),
        "shop/web": secret({
          uid: "u9",
          certificates: { tls: issued(HOUR_MS, "b2", { domain: null }) },
        }),
      },
      observed(),
    );
    expect(told(diagnose(both))).toEqual(["none"]);
  });

  it("is none of one holder, whose issuances another cause explains", () => {
    const burst = {
      evidence: history([
        [2 * DAY_MS, "a1"],
        [HOUR_MS + MINUTE, "a2"],
      ]),
    };
    expect(told(diagnose(shop({}, burst)))).toEqual(["unknown"]);
    expect(told(diagnose(shop({ immutable: true }, burst)))).toEqual(["caused", "storage proven"]);
  });

  it("is likely where two pods order at once", () => {
    const signs = [
      sign("issuance_started"),
      sign("issuance_started", { where: "tailscale/pg-1/tailscale" }),
    ];
    expect(told(diagnose(shop({}, observed({ signs }))))).toEqual(["caused", "race likely"]);
    expect(
      told(
        diagnose(
          shop(
            {},
            observed({
              signs: [
                sign("issuance_started"),
                sign("issuance_started", {
                  where: "tailscale/pg-1/tailscale",
                  firstMs: NOW_MS - 2 * DAY_MS,
                  lastMs: NOW_MS - DAY_MS,
                }),
              ],
            }),
          ),
        ),
      ),
    ).toEqual(["unknown"]);
  });
});

it.each([
  ["runner-7.tail1a2b3.ts.net", "runner-*.tail1a2b3.ts.net"],
  ["web12.tail1a2b3.ts.net", "web*.tail1a2b3.ts.net"],
  ["web-7d9f8c6b5-x2k4q.tail1a2b3.ts.net", "web-*.tail1a2b3.ts.net"],
  ["preview-0a1b2c3d4e.example.com", "preview-*.example.com"],
  ["shop.tail1a2b3.ts.net", "shop.tail1a2b3.ts.net"],
  ["night-watch.tail1a2b3.ts.net", "night-watch.tail1a2b3.ts.net"],
  ["localhost", "localhost"],
  ["", ""],
])("sees in %s the pattern %s", (name, pattern) => {
  expect(patternOf(name)).toBe(pattern);
});

describe("names that come and go", () => {
  const domain = "tail1a2b3.ts.net";
  const churn = (
    n: number,
    live: number,
    name = (i: number): string => `runner-${i}.${domain}`,
    stepMs = HOUR_MS,
  ): StateDocument => {
    const secrets = Object.fromEntries(
      Array.from({ length: live }, (_, i) => [
        `ci/r${i}`,
        secret({
          certificates: {
            tls: issued((i + 1) * stepMs, `d${i}`, { domain: name(i), names: [name(i)] }),
          },
        }),
      ]),
    );
    const gone = Array.from(
      { length: n - live },
      (_, i) =>
        history([[(i + live + 1) * stepMs, `d${i + live}`]], {
          names: [name(i + live)],
          where: `ci/r${i + live}`,
        }) as { issuances: unknown[] },
    );
    return state(secrets, {
      ...observed(),
      evidence: { issuances: gone.flatMap(({ issuances }) => issuances) },
    });
  };
  const domainOf = (of: StateDocument): Diagnosis =>
    new Doctor(of, acrossOf(of)).ofDomain("letsencrypt", domain);

  it.each([
    ["five of a pattern, four gone", churn(5, 1), ["caused", "pod_churn likely"]],
    ["five of a pattern, all there", churn(5, 5), ["caused", "pod_churn possible"]],
    ["four of a pattern", churn(4, 0), ["none"]],
    ["five without a pattern", churn(5, 0, (i) => `${"abcde"[i]}x.${domain}`), ["none"]],
    [
      "random names of pods",
      churn(6, 0, (i) => `web-7d9f8c6b${["2", "4", "5", "6", "7", "8"][i]}-x2k4q.${domain}`),
      ["caused", "pod_churn likely"],
    ],
    [
      "45 names at once, gone again",
      churn(45, 0, undefined, MINUTE),
      ["caused", "pod_churn likely", "many_new_names proven"],
    ],
    [
      "45 names at once, all there",
      churn(45, 45, undefined, MINUTE),
      ["caused", "many_new_names proven", "pod_churn possible"],
    ],
    [
      "45 names at once without a pattern",
      churn(
        45,
        0,
        (i) => `${String.fromCodePoint(97 + (i % 26), 97 + Math.floor(i / 26))}x.${domain}`,
        MINUTE,
      ),
      ["caused", "many_new_names proven"],
    ],
  ])("%s", (_, of, expected) => {
    expect(told(domainOf(of))).toEqual(expected);
  });

  it("tells of a name whose Secrets are recreated each time", () => {
    const of = state(
      { "tailscale/ts-shop-c-0": fresh({ shape: "standalone" }) },
      {
        ...observed(),
        evidence: {
          issuances: [
            ...(
              history([[3 * DAY_MS, "a0"]], { where: "tailscale/ts-shop-a-0" }) as {
                issuances: unknown[];
              }
            ).issuances,
            ...(
              history([[2 * DAY_MS, "a1"]], { where: "tailscale/ts-shop-b-0" }) as {
                issuances: unknown[];
              }
            ).issuances,
          ],
        },
      },
    );
    expect(told(new Doctor(of, acrossOf(of)).ofSet("letsencrypt", NAME))).toEqual([
      "caused",
      "pod_churn likely",
    ]);
  });
});

describe("a hidden stall", () => {
  // 90 days, 19 of them left.
  const late = { certificates: { tls: issued(71 * DAY_MS, "b2") } };
  const begun = sign("issuance_started", {
    firstMs: NOW_MS - 8 * HOUR_MS,
    lastMs: NOW_MS - 8 * HOUR_MS,
    count: 1,
  });
  it.each([
    ["begun, and silence", late, [begun], ["caused", "hidden_stall likely"]],
    [
      "begun a minute ago",
      late,
      [sign("issuance_started", { lastMs: NOW_MS - MINUTE })],
      ["unknown"],
    ],
    [
      "begun, and failed",
      late,
      [begun, sign("renewal_failed", { lastMs: NOW_MS - 7 * HOUR_MS })],
      ["caused", "order_failed proven"],
    ],
    ["not yet due", { certificates: { tls: issued(20 * DAY_MS, "b2") } }, [begun], ["none"]],
  ])("%s", (_, over, signs, expected) => {
    expect(told(diagnose(state({ [KEY]: secret(over) }, observed({ signs }))))).toEqual(expected);
  });

  it(
    "is no more than possible where the log wasn't read whole since, and a restart is what to " +
      "do",
    () => {
      const of = diagnose(
        state(
          { [KEY]: secret(late) },
          observed({
            signs: [begun],
            looks: [look("logs", { code: "gap", wholeMs: null }), look("events"), look("access")],
          }),
        ),
      );
      expect(told(of)).toEqual(["caused", "hidden_stall possible"]);
      expect(commandsOf(of)[0]).toBe("kubectl delete pod pg-0 -n tailscale");
    },
  );
});

describe("several at once", () => {
  it("tells all, the most decisive first, and what is over last", () => {
    const of = shop(
      { immutable: true, certificates: { tls: issued(3 * HOUR_MS, "b2") } },
      observed({
        signs: [
          sign("dns_failed", { code: "resolver" }),
          sign("replaces_refused", { domain: null }),
          sign("store_write_failed", {
            firstMs: NOW_MS - 2 * DAY_MS,
            lastMs: NOW_MS - 2 * DAY_MS + MINUTE,
          }),
        ],
        access: [answer("patch", true)],
      }),
    );
    expect(told(diagnose(of))).toEqual([
      "caused",
      "storage proven",
      "dns proven",
      "account_key_lost likely",
    ]);
    expect(plainText(diagnosisText(diagnose(of)))).toBe(
      "Because the Secret is immutable, so no renewal can be stored, and 2 more causes.",
    );
  });

  it("leaves another cluster's claims out", () => {
    const lines = observed({
      signs: [sign("store_write_failed")],
      access: [answer("patch", false)],
    });
    const dr = {
      ...state(
        { [KEY]: secret({ certificates: { tls: issued(3 * DAY_MS, "c9") } }) },
        {
          ...lines,
          evidence: history(
            [
              [HOUR_MS, "f1"],
              [2 * HOUR_MS, "f2"],
            ],
            { claimedBy: "dr", cluster: "dr" },
          ),
        },
      ),
      cluster: "dr",
      title: "dr",
    };
    const one = state(
      { [KEY]: secret({ certificates: { tls: issued(30 * DAY_MS, "b2") } }) },
      observed(),
    );
    expect(told(diagnose(one, dr))).toEqual(["none"]);
    expect(told(new Doctor(dr, acrossOf(one, dr)).ofSet("letsencrypt", NAME))).toEqual([
      "caused",
      "storage proven",
    ]);
  });

  it("counts as its own what it saw itself, and not what another cluster reissued", () => {
    const dr = {
      ...state(
        {},
        {
          ...observed(),
          evidence: history(
            [
              [2 * DAY_MS, "e1"],
              [DAY_MS, "e2"],
            ],
            { cluster: "dr" },
          ),
        },
      ),
      cluster: "dr",
      title: "dr",
    };
    const one = state(
      { [KEY]: secret({ certificates: { tls: issued(30 * DAY_MS, "b2") } }) },
      observed(),
    );
    expect(diagnose(one, dr).needlessMs).toEqual([]);
    expect(new Doctor(dr, acrossOf(one, dr)).ofSet("letsencrypt", NAME).needlessMs).toEqual([
      NOW_MS - DAY_MS,
    ]);
  });

  it("says nothing of staging", () => {
    const of = state(
      {
        [KEY]: secret({
          certificates: {
            tls: certificate({ staging: true, windows: [], reasons: ["unknown_issuer"] }),
          },
        }),
      },
      observed(),
    );
    expect(new Doctor(of, acrossOf(of)).all()).toEqual([]);
  });
});
