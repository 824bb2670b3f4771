/**
 * Findings from what logs, Events, access reviews and the issuer told, as a state keeps it. Pure and total; whatever
 * stands in a line is told as seen, never as advice.
 *
 * Signs go stale, so each finding has an end:
 * - what a log tells ends with a later success for the same name (a certificate stored, or for an order one issued), and
 *   by age: failures that mend themselves after a day, lost certificates and a paused account after a week (so long they
 *   weigh on the budget), a lost account key after 30 days;
 * - Events are kept for an hour: two hours after the last time;
 * - an access review holds until the server answers otherwise, and seven days after it was last asked;
 * - a refusal ends at the time that it names, or with a later certificate of the same names;
 * - windows and revocations hold while the certificate that they are about is live.
 */
import { standingSecrets } from "../state/secrets.ts";
import type { StateDocument } from "../state/document.ts";
import { storedRefusals } from "../state/evidence.ts";
import { accessDrafts, immutableDrafts } from "./observed/access.ts";
import { eventDrafts } from "./observed/event.ts";
import { issuerDrafts } from "./observed/issuer.ts";
import { refusalDrafts } from "./observed/refusal.ts";
import { signDrafts } from "./observed/sign.ts";
import { createView } from "./observed/spot.ts";
import type { Draft } from "../finding/finding.ts";
import { msOf } from "../finding/verdict.ts";

/** `seenAt`: the cluster can't be seen now; as last seen then. */
export function observedDrafts(state: StateDocument, atNs: bigint, seenAt: string | null): Draft[] {
  // Most clusters have nothing of the kind, and ten thousand certificates needn't be looked at for it.
  if (
    state.observations === undefined &&
    storedRefusals(state).length === 0 &&
    ![...standingSecrets(state)].some(({ record }) => record.immutable)
  )
    return [];
  const view = createView(state, msOf(atNs));
  const signs = [...signDrafts(view)];
  const said = new Set(signs.map(({ code, subject }) => `${code} ${JSON.stringify(subject)}`));
  const access = [...accessDrafts(view)];
  // A Secret that can't be read or written is said once, by what is surest of it.
  const surer = new Set(
    [...access, ...signs.filter(({ code }) => code === "issued_not_stored")].map(({ subject }) =>
      JSON.stringify(subject),
    ),
  );
  const events = [...eventDrafts(view)].filter(
    ({ code, subject }) => !said.has(`${code} ${JSON.stringify(subject)}`),
  );
  const drafts = [
    ...immutableDrafts(view),
    ...access,
    ...signs,
    ...events,
    ...refusalDrafts(view),
    ...issuerDrafts(view),
  ];
  return drafts
    .filter(
      ({ code, subject }) => code !== "storage_failing" || !surer.has(JSON.stringify(subject)),
    )
    .map((draft) => ({ ...draft, asLastSeen: seenAt }));
}
