/** What `explain` knows of a name, from states in memory and one known issuer. */
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { Explanation } from "../../lib/report/explain/explanation.ts";
import { formatState, type StateDocument } from "../../lib/state/document.ts";
import { explainName } from "../../lib/usecases/explain.ts";
import { NOW_MS } from "../finding/fixture.ts";
import { createMemoryStates } from "./memory.ts";
import { createAuthority } from "./pki.ts";

const bucket = (count: number) => ({ count, periodMs: 604_800_000 });

export const issuers = [
  createIssuer({
    id: "letsencrypt",
    title: "Let's Encrypt",
    anchorsPem: createAuthority({ name: "Test" }).root.pem,
    limits: { perSet: bucket(5), perDomain: bucket(50), source: "", checked: "" },
  }),
];

export function explaining(
  name: string,
  of: readonly StateDocument[],
  plan: number | null = null,
): Promise<Explanation> {
  const states = createMemoryStates();
  for (const one of of)
    states.states.set(`cluster-${one.cluster}`, { revision: 1, text: formatState(one) });
  return explainName(
    { states, clock: { nowMs: () => NOW_MS }, kit: { issuers } },
    { name, plan, ignore: [] },
  );
}
