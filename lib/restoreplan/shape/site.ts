/**
 * Where a copy of some shape would go, and what that means for its controller: the answer of each
 * shape's own rule.
 */
import { TLS_TYPE } from "../../secret/shapes.ts";
import type { Detail, Note, Objection, PlanCode } from "../objection.ts";
import type { Restart, RestartAction } from "../item.ts";
import type { Live, LiveViews, OpenedCopy, Wanted } from "../view.ts";

export interface Site {
  /** `null` where the place isn't known yet. */
  readonly to: { readonly namespace: string; readonly name: string } | null;
  readonly live: Live;
  /** Whether the Secret may be made where it is gone; else it is for its controller to make. */
  readonly mayCreate: boolean;
  /** Decides at once, whatever is there. */
  readonly verdict: (Objection & { readonly rule: "later" | "refuse" }) | null;
  /**
   * What a write does to the pods that use it. `nothingHeld`: there was no valid certificate there
   * before.
   */
  restart(action: "create" | "patch" | "replace", nothingHeld: boolean): Restart;
  readonly notes: readonly Note[];
}

export interface SiteContext {
  readonly wanted: Wanted;
  readonly views: LiveViews;
  /** Where a person wants it, or `null`: where it was. */
  readonly as: { readonly namespace: string; readonly name: string } | null;
  readonly nowMs: number;
  /** A newer certificate than the copy was seen at this place. */
  readonly newerSeen: boolean;
}

export type SiteRule = (copy: OpenedCopy, context: SiteContext) => Site;

function placeOf(
  copy: OpenedCopy,
  context: SiteContext,
): { readonly namespace: string; readonly name: string } {
  return context.as ?? { namespace: copy.record.header.namespace, name: copy.record.header.secret };
}

/** The place as it is, where the Secret may be made. */
export function siteAt(
  copy: OpenedCopy,
  context: SiteContext,
): Site & { readonly to: NonNullable<Site["to"]> } {
  const to = placeOf(copy, context);
  const live = context.views.at(to.namespace, to.name);
  return { to, live, mayCreate: true, verdict: null, restart: () => NO_RESTART, notes: [] };
}

/**
 * A Secret of type `kubernetes.io/tls` is no machine's state: whoever mounts it must not be given
 * another's keys.
 */
export function refusedAsState({ to, live }: Site): Site | null {
  return live.state === "present" && live.secret.type === TLS_TYPE
    ? refused(to, live, "place_not_for_shape", { kind: "not_state", type: TLS_TYPE })
    : null;
}

export function refused(to: Site["to"], live: Live, code: PlanCode, detail: Detail | null): Site {
  const verdict = { rule: "refuse" as const, code, detail };
  return { to, live, mayCreate: false, verdict, restart: () => NO_RESTART, notes: [] };
}

export const NO_RESTART: Restart = { needed: "no", action: null, note: { reads: "nobody" } };

export function rolloutRestart(
  namespace: string,
  of: "deployment" | "statefulset",
  name: string,
): RestartAction {
  return { kind: "rollout", namespace, of, name };
}

/** A Secret `NAME-0` belongs to the StatefulSet `NAME`. */
export function statefulSetOf(secret: string): string | null {
  return /^(.+)-\d+$/.exec(secret)?.[1] ?? null;
}
