/**
 * Certificates that a real issuer gives out in a burst, of which some are stored and some are lost
 * on their way, with the log of the proxy that asked for them: what is told agrees with what the
 * issuer did, from the Secrets and the log, and then from a search of certificate logs too.
 */
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync, appendFileSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateIdentity } from "../../lib/adapters/age/identity.ts";
import { createFileStates } from "../../lib/adapters/file/stores.ts";
import type { Across } from "../../lib/finding/across.ts";
import { bucket } from "../../lib/ratelimit/bucket.ts";
import { budgetOf, timelineOf } from "../../lib/ratelimit/budget.ts";
import { accountOf, type Ledger } from "../../lib/ratelimit/ledger.ts";
import { createLimit, MS_NS } from "../../lib/ratelimit/limit.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import { startSandbox, type Sandbox } from "../fake-apiserver/api.ts";
import { gatherAcross } from "../../lib/usecases/across.ts";
import { ingressSecret } from "../support/world.ts";
import type { AcmeCertificate, AcmeClient } from "./support/acme.ts";
import { type Pebble, startPebble } from "./support/pebble.ts";
import { type Ended, runProgram } from "./support/run.ts";
import { createServerAuthority } from "./support/servercert.ts";
import { lacksTools } from "./support/tools.ts";
import { named } from "../support/named.ts";

const MAIN = resolve(import.meta.dirname, "../../lib/cli/main.ts");
const TAILNET = "tail1a2b3.ts.net";
const NAME = `shop.${TAILNET}`;
const HOUR_MS = 3_600_000;
const LIMITS = {
  perSet: { count: 5, periodMs: 168 * HOUR_MS },
  perDomain: null,
  source: "test",
  checked: "2026-11-23",
};
const SET = createLimit(LIMITS.perSet);

const leafOf = ({ certificatePem }: AcmeCertificate): Buffer =>
  new X509Certificate(certificatePem).raw;

describe.skipIf(lacksTools("pebble"))("a burst of certificates of a real issuer", () => {
  let sandbox: Sandbox;
  let pebble: Pebble;
  let acme: AcmeClient;
  let search: Server;
  let folder: string;
  let log = "";
  /** In the order of Pebble's issuing them. */
  const issued: AcmeCertificate[] = [];
  const stored: AcmeCertificate[] = [];
  let refusedMs = 0;

  const run = (...args: string[]): Promise<Ended> =>
    runProgram(process.execPath, [MAIN, ...named(folder, args)], {
      cwd: folder,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: folder,
        NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
      },
      timeoutMs: 60_000,
    });
  const audit = async (): Promise<readonly string[]> => {
    const ended = await run("audit", "--json");
    if (ended.stdout === "") throw new Error(ended.stderr);
    const { clusters } = JSON.parse(ended.stdout) as {
      readonly clusters: readonly {
        readonly complete: boolean;
        readonly findings: readonly { readonly code: string }[];
      }[];
    };
    expect(clusters.map(({ complete }) => complete)).toEqual([true]);
    return clusters.flatMap(({ findings }) => findings.map(({ code }) => code));
  };
  /** As tailscaled writes it, with the kubelet's time before it. */
  const write = (text: string): void => {
    log +=
      `${new Date().toISOString().replace("Z", "000001Z")} ` +
      `${new Date().toISOString().slice(0, 19).replaceAll("-", "/").replace("T", " ")} ` +
      `${text}\n`;
    sandbox.setLog("tailscale", "pg-0", "tailscale", log);
  };
  const known = async (): Promise<Across> => {
    const issuer = createIssuer({
      id: "pebble",
      title: "Pebble",
      anchorsPem: pebble.rootPem,
      intermediatesPem: pebble.intermediatePem,
      limits: LIMITS,
    });
    const { across, problems } = await gatherAcross(
      {
        states: createFileStates(join(folder, "state")),
        clock: { nowMs: () => Date.now() },
        kit: { issuers: [issuer] },
      },
      [],
    );
    expect(problems).toEqual([]);
    return across;
  };
  const budget = (ledger: Ledger) => budgetOf(ledger, "set", "pebble", NAME, Date.now());
  const timeline = (ledger: Ledger) =>
    timelineOf(ledger, accountOf(ledger, "set", "pebble", NAME), Date.now()) ?? [];
  /** What the issuer's own bucket would have left. */
  const left = (certificates: readonly AcmeCertificate[]) =>
    bucket(
      SET,
      certificates.map(({ notBeforeMs }) => BigInt(notBeforeMs) * MS_NS),
      BigInt(Date.now()) * MS_NS,
    );

  beforeAll(async () => {
    [sandbox, pebble] = await Promise.all([
      startSandbox({ namespaces: ["kube-system", "tailscale"] }),
      startPebble(),
    ]);
    acme = await pebble.client();
    folder = mkdtempSync(join(tmpdir(), "certkeep-e2e-burst-"));
    const authority = await createServerAuthority();
    const pair = await authority.issue();
    // Cert Spotter's API over what Pebble issued: it can know no log, as Pebble writes to none.
    search = createServer({ cert: pair.certPem, key: pair.keyPem }, (request, response) => {
      const after = Number(new URL(request.url ?? "", "https://x").searchParams.get("after") ?? -1);
      response
        .setHeader("content-type", "application/json")
        .end(
          JSON.stringify(
            issued
              .map((one, id) => ({ id: String(id), cert_der: leafOf(one).toString("base64") }))
              .slice(after + 1, after + 4),
          ),
        );
    });
    await new Promise<void>((ready) => search.listen(0, "127.0.0.1", ready));
    writeFileSync(join(folder, "ca.pem"), readFileSync(pebble.caFile, "utf8") + authority.caPem);
    writeFileSync(join(folder, "cluster.yaml"), sandbox.kubeconfig(), { mode: 0o600 });
    writeFileSync(join(folder, "root.pem"), pebble.rootPem);
    writeFileSync(join(folder, "intermediate.pem"), pebble.intermediatePem);
    const { recipient } = await generateIdentity();
    writeFileSync(
      join(folder, "certkeep.yaml"),
      `recipients: [${recipient}]\n` +
        `stores: {backups: "file:backups", state: "file:state"}\n` +
        "clusters: [{name: prod, kubeconfig: cluster.yaml}]\n" +
        "issuers:\n" +
        "  - {id: pebble, title: Pebble, anchors: root.pem, intermediates: intermediate.pem, " +
        "limits: {perSet: {count: 5}}}\n",
    );
    const labels = {
      "tailscale.com/parent-resource": "pg",
      "tailscale.com/parent-resource-type": "proxygroup",
    };
    const startedAt = new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
    sandbox.put([
      {
        kind: "Pod",
        metadata: { name: "pg-0", namespace: "tailscale", labels },
        spec: { serviceAccountName: "pg", containers: [{ name: "tailscale" }] },
        status: {
          containerStatuses: [
            { name: "tailscale", restartCount: 0, state: { running: { startedAt } } },
          ],
        },
      },
    ]);
    write("boot: 2026/11/23 14:34:50 starting");
  });
  afterAll(async () => {
    await pebble?.stop();
    await sandbox?.stop();
    search?.closeAllConnections();
    await new Promise((done) => (search === undefined ? done(null) : search.close(done)));
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it(
    "some stored, some lost: the cluster is told of all, by its own log; the others of what was " +
      "seen",
    async () => {
      for (const keep of [true, false, false, true, false]) {
        write(`cert("${NAME}"): requesting cert...`);
        const pair = await acme.issue([NAME]);
        issued.push(pair);
        write(`cert("${NAME}"): got cert`);
        if (!keep) {
          write(
            `cert("${NAME}"): getCertPEM: error writing TLS cert and key to Secret: error ` +
              `getting Secret ${NAME}: secrets "${NAME}" is forbidden: User ` +
              `"system:serviceaccount:tailscale:pg" cannot get resource "secrets" in API ` +
              `group "" ` +
              `in the namespace "tailscale"`,
          );
          continue;
        }
        stored.push(pair);
        sandbox.put([ingressSecret(NAME, pair)]);
        await audit();
      }
      expect(await audit()).toEqual(
        expect.arrayContaining(["issued_not_stored", "reissued_without_need"]),
      );
      const across = await known();
      // Shared: what was verified.
      expect(
        timeline(across.ledger)
          .map(({ issuance }) => issuance.serial)
          .toSorted(),
      ).toEqual(stored.map(({ serial }) => serial).toSorted());
      expect(budget(across.ledger)).toMatchObject({
        spent: 2,
        atMost: left(stored).remaining,
        atLeast: null,
      });
      // Its own: each certificate that Pebble issued, once, when it issued it.
      const own = timeline(across.ledgerOf("prod"));
      expect(own).toHaveLength(issued.length);
      expect(
        own
          .filter(({ issuance }) => issuance.verified)
          .map(({ issuance }) => issuance.serial)
          .toSorted(),
      ).toEqual(stored.map(({ serial }) => serial).toSorted());
      own.forEach(({ issuance }, i) =>
        expect(Math.abs(issuance.issuedAtMs - (issued[i]?.notBeforeMs ?? 0))).toBeLessThan(5_000),
      );
      expect(own.map(({ leaves }) => leaves)).toEqual([4, 3, 2, 1, 0]);
      const { remaining, retryInMs } = left(issued);
      expect(budget(across.ledgerOf("prod"))).toMatchObject({ atMost: remaining, spent: 5 });
      expect(
        Math.abs((budget(across.ledgerOf("prod"))?.freeFromMs ?? 0) - Date.now() - retryInMs),
      ).toBeLessThan(10_000);
    },
  );

  it("names what loses them", async () => {
    const page = await run("explain", NAME, "--no-color");
    expect(page.code).toBe(0);
    expect(page.stdout).toContain("Storage");
    expect(page.stdout.replaceAll(/\s+/g, " ")).toMatch(/forbidden/i);
  });

  it("refused at last: a claim beside the shared budget, since what was seen doesn't bear it out", async () => {
    const retryAt = new Date(Date.now() + left(issued).retryInMs)
      .toISOString()
      .slice(0, 19)
      .replace("T", " ");
    write(
      `cert("${NAME}"): getCertPEM: 429 urn:ietf:params:acme:error:rateLimited: too many ` +
        "certificates (5) already issued for this exact set of identifiers in the last " +
        `168h0m0s, retry after ${retryAt} UTC: see ` +
        "https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers",
    );
    refusedMs = Date.now();
    expect(await audit()).toContain("rate_limited");
    const { ledger } = await known();
    expect(budget(ledger)).toMatchObject({
      spent: 2,
      atMost: left(stored).remaining,
      atLeast: null,
      pinnedBy: null,
      claims: [{ cluster: "prod" }],
    });
  });

  it(
    "found in certificate logs: everybody is told of all, the log's claims are the same ones, " +
      "and the refusal pins what is left",
    async () => {
      appendFileSync(
        join(folder, "certkeep.yaml"),
        "sources: {transparency: {url: " +
          `"https://127.0.0.1:${(search.address() as AddressInfo).port}/v1/issuances", domains: ` +
          `[${TAILNET}]}}\n`,
      );
      // What a log shows is settled a second later: from then on it reaches further than the refusal
      // in it.
      await new Promise((settled) =>
        setTimeout(settled, Math.max(0, refusedMs + 2_000 - Date.now())),
      );
      await audit();
      const across = await known();
      for (const [ledger, because] of [
        [across.ledger, "refusal"],
        [across.ledgerOf("prod"), "complete_source"],
      ] as const) {
        // Pebble's times are of whole seconds: those of one second stand in the order of their serial
        // numbers.
        const order = issued.toSorted(
          (a, b) => a.notBeforeMs - b.notBeforeMs || (a.serial < b.serial ? -1 : 1),
        );
        expect(
          timeline(ledger).map(({ issuance, leaves }) => [
            issuance.serial,
            issuance.issuedAtMs,
            leaves,
          ]),
        ).toEqual(order.map(({ serial, notBeforeMs }, i) => [serial, notBeforeMs, 4 - i]));
        expect(budget(ledger)).toMatchObject({
          spent: 5,
          atMost: 0,
          atLeast: 0,
          because,
          claims: [],
        });
      }
      for (const { issuance } of timeline(across.ledger))
        expect(await pebble.status(issuance.serial)).toBe("Valid");
      expect(
        timeline(across.ledger).filter(({ issuance }) =>
          issuance.sources.some(({ kind }) => kind === "secret"),
        ),
      ).toHaveLength(2);
    },
  );
});
