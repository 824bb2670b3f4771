/**
 * A fleet of clusters for pages, metrics and benchmarks: mostly good, with a little of everything.
 */
import type { BudgetLevel } from "../../lib/report/budgets.ts";
import type { PageInput } from "../../lib/report/html/page.ts";
import { certificateRows } from "../../lib/report/rows.ts";
import type { SecretRecord, StateDocument } from "../../lib/state/document.ts";
import { secret, NOW_MS } from "../finding/fixture.ts";
import { cluster, DAY, HOUR, lasting, summaryOf, unreachable } from "./support.ts";

/** So many certificates in one cluster; every 50th is in trouble of some kind. */
export function fleetCluster(name: string, certificates: number): StateDocument {
  const others: Record<string, SecretRecord> = {};
  for (let i = 0; i < Math.floor(certificates / 50); i += 1) {
    const kinds: readonly SecretRecord[] = [
      secret({ certificates: { tls: lasting(3, `soon${i}.${name}.example`) } }),
      secret({ certificates: { tls: lasting(20, `late${i}.${name}.example`) } }),
      secret({
        certificates: {
          tls: lasting(40, `odd${i}.${name}.example`, { windows: [], reasons: ["key_mismatch"] }),
        },
      }),
      secret({ certificates: { tls: lasting(-2, `dead${i}.${name}.example`) } }),
    ];
    others[`trouble/t${i}`] = kinds[i % kinds.length] ?? secret();
  }
  const copy = {
    namespace: "apps",
    secret: "app0",
    shape: "tls",
    fieldBase: "tls",
    names: [`app0.${name}.example`],
    issuer: "letsencrypt",
    serial: "01",
    sha256: "bb",
    notBefore: "2026-08-01T00:00:00Z",
    notAfter: "2026-10-30T00:00:00Z",
    issuedAt: "2026-08-01T00:00:00Z",
    account: null,
    digest: "d",
    key: "k",
    recordedAt: "2026-11-01T00:00:00Z",
    seenValid: true,
    liveFrom: "2026-08-01T00:00:00Z",
    liveUntil: "2026-10-30T00:00:00Z",
  };
  return {
    ...cluster(name, certificates - Object.keys(others).length, others),
    copies: { v1: { ...copy, kind: "certificate" }, v2: { ...copy, kind: "replaced" } },
  };
}

const BUDGETS: readonly BudgetLevel[] = [
  {
    name: "wiki.tail1a2b3.ts.net",
    kind: "set",
    remaining: 0,
    atLeast: 0,
    capacity: 5,
    overshot: false,
    nextSlotMs: NOW_MS + 11 * HOUR,
    fullAtMs: NOW_MS + 6 * DAY,
    levels: [5, 4, 3, 2, 1, 0].map((left, i) => ({ atMs: NOW_MS - (6 - i) * 20 * HOUR, left })),
    clusters: ["prod"],
  },
  {
    name: "tail1a2b3.ts.net",
    kind: "domain",
    remaining: 9,
    atLeast: null,
    capacity: 50,
    overshot: false,
    nextSlotMs: NOW_MS + 2 * HOUR,
    fullAtMs: NOW_MS + 5.5 * DAY,
    levels: [
      { atMs: NOW_MS - 2 * DAY, left: 31 },
      { atMs: NOW_MS - DAY, left: 15 },
    ],
    clusters: ["prod"],
  },
  {
    name: "shop.example",
    kind: "set",
    remaining: 4,
    atLeast: null,
    capacity: 5,
    overshot: false,
    nextSlotMs: NOW_MS + DAY,
    fullAtMs: NOW_MS + DAY,
    levels: [],
    clusters: ["prod"],
  },
];

export function fleet(states: readonly StateDocument[]): PageInput {
  const summaries = states.map((state) => summaryOf(state));
  const rows = states.flatMap((state, index) => [
    ...certificateRows(state, summaries[index]?.findings ?? [], NOW_MS, true),
  ]);
  return { summaries, rows, budgets: BUDGETS, unregistered: ["old"], atMs: NOW_MS };
}

/** Three clusters, one of them out of sight. */
export function smallFleet(): PageInput {
  return fleet([
    fleetCluster("prod", 180),
    fleetCluster("staging", 60),
    unreachable("edge", 12, NOW_MS - 9 * HOUR),
  ]);
}
