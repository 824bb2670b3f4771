/** Removes a registration; its copies and its state stay. With `revoke` what registering gave is taken away from the cluster first. */
import { registrationSelector } from "../../rbac/manifest.ts";
import { CertkeepError } from "../../error.ts";
import type { ClusterReader, ObjectName, Registrar } from "../../ports/cluster.ts";
import type { Registrations } from "../../ports/registry.ts";
import type { StateStore } from "../../ports/stores.ts";
import { notPinned } from "../../state/identity.ts";
import { loadState } from "../states.ts";

export interface RemovePorts {
  readonly registrations: Registrations;
  readonly states: StateStore;
  /** The administrator's, to revoke; `null`: nothing is revoked. */
  readonly admin: {
    readonly registrar: Registrar;
    readonly reader: ClusterReader;
    readonly server: string;
  } | null;
}

export interface RemoveResult {
  readonly name: string;
  readonly revoked: readonly ObjectName[];
  /** Copies that the state knows of, which stay. */
  readonly copies: number;
}

/** @throws CertkeepError usage where there is no such registration, or the context leads to another cluster */
export async function runRemove(name: string, ports: RemovePorts): Promise<RemoveResult> {
  if ((await ports.registrations.read(name)) === null) {
    throw new CertkeepError("usage", {
      where: `cluster ${name}`,
      found: `no registration in ${ports.registrations.place}`,
      expected: "one of those that `certkeep clusters` lists as registered",
      todo: "A cluster of certkeep.yaml is removed there",
    });
  }
  const state = (await loadState(ports.states, name))?.state ?? null;
  const revoked: ObjectName[] = [];
  if (ports.admin !== null) {
    const identity = await ports.admin.reader.identity();
    if (state !== null && notPinned(state, identity) !== null) {
      throw new CertkeepError("usage", {
        where: `cluster ${name}`,
        found: `the context leads to another cluster (${ports.admin.server})`,
        expected: "the one that was registered",
        todo: "Nothing was removed. Name its context: --context CTX",
      });
    }
    for (const object of await ports.admin.registrar.find(registrationSelector(name))) {
      await ports.admin.registrar.remove(object);
      revoked.push(object);
    }
  }
  await ports.registrations.remove(name);
  return { name, revoked, copies: Object.keys(state?.copies ?? {}).length };
}
