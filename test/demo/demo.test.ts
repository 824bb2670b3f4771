/** The demo as a person runs it, and what an audit makes of its cluster. */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../lib/cli/run.ts";
import { fqdnOf } from "../../lib/demo/secrets.ts";
import { startDemo, type DemoWorld } from "../../lib/wiring/demo.ts";

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function certkeep(...args: readonly string[]): Promise<Ended> {
  const streams = { out: new PassThrough(), err: new PassThrough() };
  const code = await run(args, {
    stdin: Readable.from([]),
    stdout: streams.out,
    stderr: streams.err,
    env: { HOME: "/nonexistent", PATH: "" },
    cwd: "/",
    interactive: false,
    errTty: false,
    outTty: false,
    columns: 100,
    nowMs: () => Date.now(),
  });
  const textOf = (stream: PassThrough): string => String(stream.read() ?? "");
  return { code, out: textOf(streams.out), err: textOf(streams.err) };
}

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
  it("audits, restores what was lost, posts a digest and writes a page", async () => {
    const { code, out, err } = await certkeep("demo", "--no-color");
    const folder = /(\S+certkeep-demo-\w+);/u.exec(out)?.[1] ?? "";
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
    expect(out).toMatch(/^│ .*17 certificates/mu);
  });
});

describe("the demo's cluster", () => {
  let world: DemoWorld;
  let secrets: StateDocument["secrets"];

  beforeAll(async () => {
    world = await startDemo(Date.now());
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
