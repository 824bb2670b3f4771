/** Causes that a line of a log names by itself, and which reissues they explain. */
import { describe, expect, it } from "vitest";
import { type Diagnosis, explainsReissue } from "../../lib/diagnosis/cause.ts";
import { formatMs } from "../../lib/certificate/time.ts";
import { Doctor } from "../../lib/diagnosis/diagnose.ts";
import { plainText } from "../../lib/report/part.ts";
import { diagnosisText } from "../../lib/report/phrases/causes.ts";
import type { StateDocument } from "../../lib/state/document.ts";
import { NOW_MS, secret, state } from "../finding/fixture.ts";
import {
  acrossOf,
  answer,
  DAY_MS,
  history,
  HOUR_MS,
  issued,
  KEY,
  NAME,
  observed,
  sign,
  commandsOf,
  diagnose,
  fresh,
  shop,
  told,
} from "./support.ts";

describe("orders that fail", () => {
  const stored = { certificates: { tls: issued(70 * DAY_MS, "b2") } };
  const failing = (signal: ReturnType<typeof sign>): StateDocument =>
    state({ [KEY]: secret(stored) }, observed({ signs: [signal] }));
  it.each([
    ["a 429 for the same names", sign("rate_limited", { code: "set" }), "rate_limited"],
    ["a paused account", sign("paused"), "rate_limited"],
    ["a deactivated account", sign("order_failed", { code: "account" }), "account_rejected"],
    ["the network", sign("renewal_failed", { code: "network" }), "network"],
    ["no answer in time", sign("order_failed", { code: "timeout" }), "network"],
    ["an x509 error", sign("renewal_failed", { code: "untrusted" }), "server_untrusted"],
    ["a busy issuer", sign("order_failed", { code: "busy" }), "order_failed"],
    ["an error of the issuer", sign("order_failed", { code: "serverInternal" }), "order_failed"],
    ["an error without a type", sign("renewal_failed"), "order_failed"],
  ])("%s is a cause of its own, with the line as evidence", (_, signal, code) => {
    const of = diagnose(failing(signal));
    expect(told(of)).toEqual(["caused", `${code} proven`]);
    expect(of.causes[0]?.evidence[0]?.seen).toEqual({ kind: "logged", signal, asMissing: false });
    expect(plainText(diagnosisText(of))).not.toContain("Cause unknown");
    expect(of.causes[0]?.measures.length).toBeGreaterThan(0);
    expect(plainText(diagnosisText(diagnose(failing({ ...signal, domain: null }))))).not.toContain(
      "Cause unknown",
    );
  });

  it("is a DNS failure where the API server's name can't be looked up", () => {
    const of = diagnose(failing(sign("store_write_failed", { code: "resolver" })));
    expect(told(of)).toEqual(["caused", "dns proven"]);
    expect(commandsOf(of)).toEqual(["kubectl get pods -n kube-system -l k8s-app=kube-dns"]);
  });

  it("is none where one was stored since and nothing is in trouble", () => {
    expect(told(diagnose(state({ [KEY]: fresh() }, observed({ signs: [] }))))).toEqual(["none"]);
    const signs = [
      sign("renewal_failed", { firstMs: NOW_MS - 3 * HOUR_MS, lastMs: NOW_MS - 2 * HOUR_MS }),
    ];
    expect(told(diagnose(state({ [KEY]: fresh() }, observed({ signs }))))).toEqual(["none"]);
  });
});

describe("what was seen after a reissue", () => {
  // Reissued three hours ago, after one of two days ago.
  const since = (firstMs: number): Diagnosis =>
    diagnose(
      shop(
        { certificates: { tls: issued(3 * HOUR_MS, "b2") } },
        observed({ signs: [sign("store_write_failed", { firstMs, lastMs: NOW_MS - HOUR_MS })] }),
      ),
    );
  it("doesn't explain it, and what was seen before does", () => {
    expect(since(NOW_MS - 2 * HOUR_MS).causes.map(explainsReissue)).toEqual([false]);
    expect(since(NOW_MS - 4 * HOUR_MS).causes.map(explainsReissue)).toEqual([true]);
  });
  it.each([
    [HOUR_MS, true],
    [30 * HOUR_MS, false],
  ])("nor does a Secret that was recreated: reissued %i ms ago", (agoMs, expected) => {
    const recreated = {
      at: formatMs(NOW_MS - 60_000),
      uid: "u0",
      base: "tls",
      state: "live",
      serial: "a1",
      reasons: [],
    };
    const { causes } = diagnose(
      shop({ certificates: { tls: issued(agoMs, "b2") }, earlier: [recreated] }),
    );
    expect(causes.map((cause) => [cause.because.kind, explainsReissue(cause)])).toEqual([
      ["recreated", expected],
    ]);
  });
  it("nor does what was over before the certificate that was thrown away", () => {
    const signs = [
      sign("store_write_failed", { firstMs: NOW_MS - 4 * DAY_MS, lastMs: NOW_MS - 3 * DAY_MS }),
    ];
    expect(diagnose(shop({}, observed({ signs }))).causes.map(explainsReissue)).toEqual([false]);
  });
});

describe("an account that was only assumed", () => {
  it("is no more than a possible cause, and none where nothing is in trouble", () => {
    const access = [answer("patch", false, { assumed: true })];
    expect(told(diagnose(shop({}, observed({ access }))))).toEqual(["caused", "storage possible"]);
    expect(told(diagnose(state({ [KEY]: fresh() }, observed({ access }))))).toEqual(["none"]);
  });
});

it("takes nothing that a staging issuer issued again for needless", () => {
  const past = [
    [2 * DAY_MS, "a1"],
    [HOUR_MS, "a2"],
  ] as const;
  const needless = (issuer: string): number => {
    const of = state({}, { ...observed(), evidence: history(past, { issuer }) });
    return new Doctor(of, acrossOf(of)).ofSet(issuer, NAME).needlessMs.length;
  };
  expect([needless("letsencrypt"), needless("letsencrypt-staging")]).toEqual([1, 0]);
});
