/** The demo as a person runs it, and what an audit makes of its cluster. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { run } from "../../lib/cli/run.ts";
import { fqdnOf } from "../../lib/demo/secrets.ts";
import { startDemo, type DemoWorld } from "../../lib/wiring/demo.ts";
import { type Ended, runIn } from "../support/cli.ts";

const streamless = {
  env: { HOME: "/nonexistent", PATH: "" },
  cwd: "/",
  interactive: false,
  errTty: false,
  outTty: false,
  columns: 80,
  nowMs: () => Date.now(),
};

/** The folder for temporary files of this test alone. */
let temporary: string;
beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), "certkeep-demotest-"));
  vi.stubEnv("TMPDIR", temporary);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(temporary, { recursive: true });
});

const certkeep = (...args: readonly string[]): Promise<Ended> => runIn("/", args, streamless);

interface StateDocument {
  readonly secrets: Readonly<
    Record<
      string,
      {
        readonly shape: string | null;
        readonly foreign: boolean;
        readonly certificates: Readonly<
          Record<string, { readonly reasons: readonly string[]; readonly notAfter: string }>
        >;
        readonly gaps: Readonly<Record<string, { readonly state: string }>>;
      }
    >
  >;
}

/** The newest state that the demo's audits stored. */
async function readState(folder: string): Promise<StateDocument> {
  const states = join(folder, "state", "cluster-demo");
  const [newest = ""] = (await readdir(states)).toSorted().toReversed();
  const [document = ""] = (await readFile(join(states, newest), "utf8")).split("\n");
  return JSON.parse(document) as StateDocument;
}

describe("certkeep demo", () => {
  it("shows a loss, its restore and Slack's messages, and leaves nothing behind", async () => {
    const { code, out, err } = await certkeep("demo", "--no-color");
    expect([code, err]).toEqual([0, ""]);
    const [audit = "", disaster = "", restore = "", slack = ""] = out
      .split(/^[1-4]\/4 /mu)
      .slice(1);
    expect(audit).toMatch(/\b14\b.*\b14\b/u);
    for (const host of ["orders", "reports"]) {
      expect(disaster).toContain(fqdnOf(host));
      expect(restore).toMatch(
        new RegExp(`^ {2}${fqdnOf(host)} .*(?:create Secret|write fields)`, "mu"),
      );
      expect(slack).toContain(fqdnOf(host));
    }
    expect(disaster).toContain("429");
    expect(slack).toMatch(/Resolved: [^│]*\n?│? ?restored, 0 issuances/u);
    expect(out.trimEnd().split("\n").length).toBeLessThanOrEqual(53);
    expect(restore).toContain("Restored 2 of 2; read back and verified. Saved 2 issuances.");
    expect(restore).toMatch(
      /^Same serials as before \([0-9a-f]{10}…, [0-9a-f]{10}…\), 0 issuances/mu,
    );
    expect(out).toMatch(/^Next: certkeep audit /mu);
    expect(await readdir(temporary)).toEqual([]);
  });

  it("prints the audit that the README shows", async () => {
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const [, shown = ""] = /^```\n(\$ certkeep audit\n.*?)^```/ms.exec(readme) ?? [];
    /** Lines may break elsewhere with another date. */
    const comparable = (text: string): string =>
      text
        .replaceAll(/\s+/g, " ")
        .replaceAll(/[A-Z][a-z]{2} \d{1,2} \d\d:\d\d UTC/g, "TIME")
        .trim();
    expect(shown).toContain("CRITICAL");
    const { out } = await certkeep("demo", "--no-color");
    expect(comparable(out)).toContain(comparable(shown));
  });

  it("waits for Enter between its steps on a terminal", async () => {
    const stdin = new PassThrough();
    const out = new PassThrough();
    const ended = run(["demo", "--no-color"], {
      ...streamless,
      stdin,
      stdout: out,
      stderr: new PassThrough(),
      interactive: true,
      outTty: true,
    });
    const steps: string[] = [];
    for (let step = 1; step <= 3; step += 1) {
      let text = "";
      while (!text.endsWith("Press Enter to continue ")) {
        const [chunk] = (await once(out, "data")) as [Buffer];
        text += chunk.toString("utf8");
      }
      steps.push(/^([1-4])\/4 /mu.exec(text)?.[1] ?? "");
      stdin.write("\n");
    }
    expect(steps).toEqual(["1", "2", "3"]);
    expect(await ended).toBe(0);
  });

  it("--full audits, restores what was lost, posts a digest and writes a page", async () => {
    const { code, out, err } = await certkeep("demo", "--full", "--no-color");
    const folder = /(\S+certkeep-demo-\w+)\./u.exec(out)?.[1] ?? "";
    const { secrets } = await readState(folder);
    const page = await readFile(join(folder, "report.html"), "utf8");
    await rm(folder, { recursive: true });
    expect(code).toBe(0);
    expect(err.split("\n")).toHaveLength(2);
    for (const host of ["orders", "reports"])
      expect(Object.keys(secrets[`tailscale/${fqdnOf(host)}`]?.certificates ?? {})).toEqual([
        "tls",
      ]);
    expect(page).toContain(fqdnOf("grafana"));
    expect(out).toMatch(/^│ demo: 8 problems; 17 of \d+ certificates OK/mu);
  });
});

it("the demo begins with 14 certificates and no warning", async () => {
  const world = await startDemo(() => Date.now(), "healthy");
  try {
    const args = ["audit", "--fail-on", "warning", "--config", world.config];
    const { code } = await certkeep(...args);
    const { secrets } = await readState(world.folder);
    const certificates = Object.values(secrets).flatMap((one) => Object.values(one.certificates));
    expect([code, certificates.length]).toEqual([0, 14]);
    expect(certificates.flatMap(({ reasons }) => reasons)).toEqual([]);
  } finally {
    await world.stop();
    await rm(world.folder, { recursive: true });
  }
});

describe("the cluster of demo --full", () => {
  let world: DemoWorld;
  let secrets: StateDocument["secrets"];

  beforeAll(async () => {
    world = await startDemo(() => Date.now(), "sick");
    await certkeep("audit", "--config", world.config);
    ({ secrets } = await readState(world.folder));
  });
  afterAll(async () => {
    await world.stop();
    await rm(world.folder, { recursive: true });
  });

  it("has each trouble once, and no other", () => {
    const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();
    const timeTrouble = (notAfter: string): readonly string[] =>
      notAfter < inDays(0) ? ["expired"] : notAfter < inDays(15) ? ["expiring"] : [];
    const troubles = Object.entries(secrets).flatMap(([key, { certificates, gaps, foreign }]) =>
      [
        ...Object.values(certificates).flatMap((one) => [
          ...one.reasons,
          ...timeTrouble(one.notAfter),
        ]),
        ...Object.values(gaps).map(({ state }) => state),
        ...(foreign ? ["foreign"] : []),
      ].map((trouble) => `${key} ${trouble}`),
    );
    expect(troubles.toSorted()).toEqual([
      "kube-system/mesh-identity-issuer foreign",
      "kube-system/metrics-webhook-tls foreign",
      "tailscale/billing.tail1a2b3.ts.net expiring",
      "tailscale/ci.tail1a2b3.ts.net unreadable",
      "tailscale/docs.tail1a2b3.ts.net empty",
      "tailscale/git.tail1a2b3.ts.net key_mismatch",
      "tailscale/status.tail1a2b3.ts.net missing_intermediate",
      "tailscale/ts-argocd-qh8wn-0 name_mismatch",
      "tailscale/vault.tail1a2b3.ts.net empty",
      "tailscale/wiki.tail1a2b3.ts.net expired",
    ]);
  });

  it("stores certificates in the layouts of Tailscale and cert-manager", () => {
    const shapes = Object.values(secrets).flatMap(({ shape }) => shape ?? []);
    const counts: Record<string, number> = {};
    for (const shape of shapes) counts[shape] = (counts[shape] ?? 0) + 1;
    expect(counts).toEqual({
      operator: 1,
      standalone: 5,
      "ha-ingress": 13,
      "apiserver-proxygroup": 1,
      "proxygroup-state": 4,
      recorder: 1,
      sidecar: 1,
      tls: 6,
    });
  });
});
