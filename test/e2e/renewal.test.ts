/**
 * Renewal times as a real issuer gives them: Pebble's own windows, one that it moves, nonsense, and
 * silence.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createFileStates } from "../../lib/adapters/file/stores.ts";
import { startSandbox, type Sandbox } from "../fake-apiserver/api.ts";
import { observationsOf, type Observations } from "../../lib/state/observations.ts";
import { loadState } from "../../lib/usecases/states.ts";
import { ingressSecret } from "../support/world.ts";
import type { AcmeCertificate, AcmeClient } from "./support/acme.ts";
import { type Pebble, startPebble } from "./support/pebble.ts";
import { type Ended, runProgram } from "./support/run.ts";
import { lacksTools } from "./support/tools.ts";
import { named } from "../support/named.ts";

const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const HOUR_MS = 3_600_000;
const [USUAL, FORCED, NONSENSE] = ["usual", "forced", "nonsense"].map(
  (name) => `${name}.tail1a2b3.ts.net`,
) as [string, string, string];

interface AuditDocument {
  readonly clusters: readonly {
    readonly complete: boolean;
    readonly findings: readonly {
      readonly code: string;
      readonly subject: { readonly name: string };
      readonly evidence: readonly string[];
    }[];
  }[];
}

describe.skipIf(lacksTools("pebble"))("renewal times of a real issuer", () => {
  let sandbox: Sandbox;
  let pebble: Pebble;
  let acme: AcmeClient;
  let folder: string;
  const issued = new Map<string, AcmeCertificate>();

  const run = (...args: string[]): Promise<Ended> =>
    runProgram(process.execPath, [MAIN, ...named(folder, args)], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", HOME: folder, NODE_EXTRA_CA_CERTS: pebble.caFile },
      timeoutMs: 60_000,
    });
  const audit = async (): Promise<AuditDocument> => {
    const ended = await run("audit", "--json");
    if (ended.stdout === "") throw new Error(ended.stderr);
    return JSON.parse(ended.stdout) as AuditDocument;
  };
  const told = async (): Promise<Observations> => {
    const loaded = await loadState(createFileStates(join(folder, "state")), "prod");
    if (loaded === null) throw new Error("there is no state");
    const observations = observationsOf(loaded.state);
    return {
      ...observations,
      looks: observations.looks.filter(({ source }) => source === "renewal_info"),
    };
  };
  const configure = async (sources: string): Promise<void> => {
    const { recipient } = await generateIdentity();
    writeFileSync(
      join(folder, "certkeep.yaml"),
      `recipients: [${recipient}]\n` +
        `stores: {backups: "file:backups", state: "file:state"}\n` +
        "clusters: [{name: prod, kubeconfig: cluster.yaml}]\n" +
        "issuers:\n" +
        "  - {id: pebble, title: Pebble, anchors: root.pem, intermediates: intermediate.pem, " +
        `directory: "${pebble.directoryUrl}", limits: {perSet: {count: 5}}}\n` +
        `${sources}`,
    );
  };
  const issue = async (name: string): Promise<AcmeCertificate> => {
    const pair = await acme.issue([name]);
    issued.set(name, pair);
    sandbox.put([ingressSecret(name, pair)]);
    return pair;
  };
  const findingsOf = ({ clusters }: AuditDocument, code: string): readonly string[] =>
    clusters.flatMap(({ findings }) =>
      findings.filter((finding) => finding.code === code).map(({ subject }) => subject.name),
    );

  beforeAll(async () => {
    [sandbox, pebble] = await Promise.all([
      startSandbox({ namespaces: ["kube-system", "tailscale"] }),
      startPebble(),
    ]);
    acme = await pebble.client();
    folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-renewal-"));
    writeFileSync(join(folder, "cluster.yaml"), sandbox.kubeconfig(), { mode: 0o600 });
    writeFileSync(join(folder, "root.pem"), pebble.rootPem);
    writeFileSync(join(folder, "intermediate.pem"), pebble.intermediatePem);
    for (const name of [USUAL, FORCED, NONSENSE]) await issue(name);
  });
  afterAll(async () => {
    await pebble?.stop();
    await sandbox?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it("are not asked for without the setting", async () => {
    await configure("");
    await audit();
    expect(await told()).toMatchObject({ windows: [], looks: [] });
  });

  it(
    "are Pebble's own; one that it moved is noticed, with its explanation; nonsense is a known " +
      "unknown",
    async () => {
      await configure("sources: {renewalInfo: true}\n");
      const now = Date.now();
      const past = {
        start: new Date(now - HOUR_MS).toISOString(),
        end: new Date(now - HOUR_MS / 2).toISOString(),
      };
      await pebble.setRenewalInfo(
        issued.get(FORCED)?.certificatePem ?? "",
        JSON.stringify({
          suggestedWindow: past,
          explanationURL: "https://issuer.example/incident",
        }),
      );
      await pebble.setRenewalInfo(
        issued.get(NONSENSE)?.certificatePem ?? "",
        '{"suggestedWindow":{"start":"soon"',
      );
      const document = await audit();
      expect(document.clusters[0]?.complete).toBe(true);
      const { windows, looks } = await told();
      const windowOf = (name: string) =>
        windows.find(({ serial }) => serial.replace(/^0+/, "") === issued.get(name)?.serial);
      // As Pebble works it out: a day around two thirds of 90 days; asked again in the six hours that
      // it says.
      const usual = windowOf(USUAL);
      const middleMs = (issued.get(USUAL)?.notBeforeMs ?? 0) + 60 * 24 * HOUR_MS;
      expect(Math.abs((usual?.startMs ?? 0) - (middleMs - 24 * HOUR_MS))).toBeLessThan(2_000);
      expect(Math.abs((usual?.endMs ?? 0) - (middleMs + 24 * HOUR_MS))).toBeLessThan(2_000);
      expect((usual?.nextMs ?? 0) - (usual?.askedMs ?? 0)).toBe(6 * HOUR_MS);
      expect(windowOf(FORCED)).toMatchObject({
        startMs: Date.parse(past.start),
        endMs: Date.parse(past.end),
        explanationUrl: "https://issuer.example/incident",
      });
      expect(windowOf(NONSENSE)).toBeUndefined();
      expect(looks.map(({ scope, code }) => [scope.split(" ")[0], code])).toEqual(
        [
          [pebble.directoryUrl, "invalid_answer"],
          [pebble.directoryUrl, null],
        ].toSorted((a, b) => String(a[1]).localeCompare(String(b[1]))),
      );
      expect(findingsOf(document, "renewal_window_forced")).toEqual([FORCED]);
      expect(
        document.clusters[0]?.findings.find(({ code }) => code === "renewal_window_forced")
          ?.evidence,
      ).toContain("https://issuer.example/incident");
    },
  );

  it("make a renewal that the issuer asked for a needed one, and no other", async () => {
    for (const name of [USUAL, FORCED]) await issue(name);
    const document = await audit();
    expect(findingsOf(document, "reissued_without_need")).toEqual([USUAL]);
    // The new certificate's window is asked for at once, and isn't a forced one.
    expect((await told()).windows).toHaveLength(4);
    expect(findingsOf(document, "renewal_window_forced")).toEqual([]);
  });

  it("that can't be had fail no audit, and are told with since when", async () => {
    const pair = await acme.issue([USUAL]);
    await pebble.stop();
    sandbox.put([ingressSecret(USUAL, pair)]);
    const before = Date.now();
    const document = await audit();
    expect(Date.now() - before).toBeLessThan(15_000);
    expect(document.clusters[0]?.complete).toBe(true);
    const { windows, looks } = await told();
    expect(windows).toHaveLength(4);
    expect(looks.find(({ scope }) => scope === pebble.directoryUrl)).toMatchObject({
      source: "renewal_info",
      code: "unreachable",
      unread: "1 certificate not asked about",
    });
  });

  it("and certificate logs that can't be searched are told to whoever looks on, and to machines", async () => {
    await configure(
      'sources: {renewalInfo: true, transparency: {url: "https://127.0.0.1:1/v1/issuances", ' +
        "domains: [tail1a2b3.ts.net]}}\n",
    );
    const ended = await run("audit", "--json");
    expect(ended.stderr).toMatch(
      /certkeep: certificate logs, 127\.0\.0\.1:1 about tail1a2b3\.ts\.net: unreachable since \S+Z; it never answered whole/,
    );
    const document = JSON.parse(ended.stdout) as {
      readonly clusters: readonly { readonly complete: boolean }[];
      readonly transparency: readonly object[];
      readonly silent: readonly object[];
    };
    expect(document.clusters.map(({ complete }) => complete)).toEqual([true]);
    expect(document.transparency).toMatchObject([
      {
        domain: "tail1a2b3.ts.net",
        code: "unreachable",
        whole: null,
        since: expect.stringContaining("T") as string,
      },
    ]);
    expect(document.silent).toContainEqual(
      expect.objectContaining({
        source: "ct",
        reason: "unreachable",
        since: expect.stringContaining("T") as string,
      }),
    );
  });
});
