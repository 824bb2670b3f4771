/**
 * What issuers report of a cluster's live certificates, where that is enabled: when they suggest to
 * renew each (ACME Renewal Information), and whether their lists say that it was revoked.
 */
import type { SecretRecord, StateDocument } from "../../state/document.ts";
import {
  boundObservations,
  mergeObservations,
  observationsOf,
  storedObservations,
} from "../../state/observations.ts";
import { type AuditPorts, outsideSignal } from "./context.ts";
import { askRenewalInfo } from "./outside/renewalinfo.ts";
import { askRevocations } from "./outside/revocations.ts";
import { isUnread, OutsideRun } from "./outside/run.ts";

export function asksIssuers({ outside, dryRun }: Pick<AuditPorts, "outside" | "dryRun">): boolean {
  return (
    outside !== undefined &&
    !dryRun &&
    (outside.renewalInfo !== null || outside.revocation !== null)
  );
}

/**
 * Whether a record lacks what issuers are asked by: its Secret was read before that was recorded.
 */
export function lacksPointers({ certificates }: Pick<SecretRecord, "certificates">): boolean {
  return Object.values(certificates).some(isUnread);
}

/** What the state is to hold of other sources from now on. Never throws for what a source does. */
export async function askIssuers(state: StateDocument, ports: AuditPorts): Promise<unknown> {
  const { outside, kit, clock, wall = clock, signal } = ports;
  if (outside === undefined || !asksIssuers(ports) || signal?.aborted === true)
    return state.observations;
  const { renewalInfo, revocation } = outside;
  const run = new OutsideRun(state, kit.issuers, wall, outsideSignal(outside, signal));
  await Promise.all([
    renewalInfo === null ? null : askRenewalInfo(run, renewalInfo),
    revocation === null ? null : askRevocations(run, revocation),
  ]);
  return storedObservations(
    state.observations,
    boundObservations(mergeObservations(observationsOf(state), run.reported()), wall.nowMs()),
  );
}
