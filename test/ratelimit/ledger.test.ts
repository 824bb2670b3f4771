/** A cluster's own view of the ledger, made from the shared one at the cost of its claims alone. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { budgetOf } from "../../lib/ratelimit/budget.ts";
import { mergeEvidence } from "../../lib/ratelimit/evidence.ts";
import { createLedger, ledgerFor } from "../../lib/ratelimit/ledger.ts";
import { HOUR_MS } from "../../lib/ratelimit/limit.ts";
import { evidence, KNOWN, LE, made, T0 } from "./support.ts";

const NAMES = ["a.tail1.ts.net", "b.tail1.ts.net", "c.tail2.ts.net", "d.example.com"];
const issuance = fc
  .record({
    hours: fc.integer({ min: 0, max: 300 }),
    names: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 2 }),
    cluster: fc.constantFrom("a", "b"),
    claimed: fc.boolean(),
    serial: fc.integer({ min: 1, max: 0xffff }),
  })
  .map(({ hours, names, cluster, claimed, serial }) =>
    made(T0 + hours * HOUR_MS, {
      names,
      cluster,
      serial: serial.toString(16),
      claimedBy: claimed ? cluster : null,
      kind: claimed ? "log" : "secret",
    }),
  );

test("is the ledger that would be created for it", () => {
  fc.assert(
    fc.property(
      fc.array(issuance, { maxLength: 30 }),
      fc.integer({ min: 0, max: 400 }),
      (issuances, hours) => {
        const all = mergeEvidence(evidence(issuances));
        const claims = all.issuances.filter(({ claimedBy }) => claimedBy === "a");
        const quick = ledgerFor(createLedger(all, { limits: KNOWN }), "a", claims);
        const whole = createLedger(all, { limits: KNOWN, cluster: "a" });
        expect(quick.accounts).toEqual(whole.accounts);
        for (const name of NAMES)
          expect(budgetOf(quick, "set", LE, name, T0 + hours * HOUR_MS)).toEqual(
            budgetOf(whole, "set", LE, name, T0 + hours * HOUR_MS),
          );
      },
    ),
  );
});
