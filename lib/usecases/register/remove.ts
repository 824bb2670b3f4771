/**
 * Removes a cluster: its registration, and its place in reports. Its backups and its state stay, so
 * that they can be restored from. With `revoke` what registering gave is taken away from the
 * cluster first.
 *
 * A cluster without a registration that an audit left behind, such as one at a wrong address, is
 * removed likewise.
 *
 * What a registration leaves to take away: of an earlier one, or of one that failed.
 */
import { formatMs } from "../../certificate/time.ts";
import { LABEL } from "../../config/form.ts";
import { meant } from "../../config/problem.ts";
import { CHANGED_MEANWHILE, CertkeepError, isCertkeepError } from "../../error.ts";
import type { ClusterReader, ObjectName, Registrar } from "../../ports/cluster.ts";
import type { Registrations, StoredRegistration } from "../../ports/registry.ts";
import type { Clock } from "../../ports/runtime.ts";
import type { StateStore } from "../../ports/stores.ts";
import {
  accessName,
  type AccessObject,
  bearersOf,
  registrationSelector,
} from "../../rbac/manifest.ts";
import type { StateDocument } from "../../state/document.ts";
import { calledBy, notPinned } from "../../state/identity.ts";
import { changeState, readState, stateKeys } from "../states.ts";
import type { RegisterPorts, RegisterRequest } from "./context.ts";

export interface RemovePorts {
  readonly registrations: Registrations;
  readonly states: StateStore;
  readonly clock: Clock;
  /** Its entry in certkeep.yaml; `null`: it has none. */
  readonly configured: Pick<NonNullable<RegisterPorts["configured"]>, "file" | "remove"> | null;
  /** The administrator's, to revoke; `null`: nothing is revoked. */
  readonly admin: {
    readonly registrar: Registrar;
    readonly reader: ClusterReader;
    readonly server: string;
  } | null;
}

export interface RemoveResult {
  readonly name: string;
  /** Whether it was registered; else an audit left it behind. */
  readonly registered: boolean;
  readonly revoked: readonly ObjectName[];
  /** Backups that the state knows of, which stay. */
  readonly copies: number;
}

/**
 * @throws CertkeepError usage where nothing has this name, or the context leads to another cluster
 */
export async function runRemove(name: string, ports: RemovePorts): Promise<RemoveResult> {
  // A context can have any name; a registration only a label.
  const registered = LABEL.test(name) && (await ports.registrations.read(name)) !== null;
  const isNamed = registered || ports.configured !== null;
  const found = isNamed ? await stateNamed(name, ports) : await stateLeft(name, ports);
  const revoked = ports.admin === null ? [] : await revoke(name, found, ports.admin);
  if (registered) await ports.registrations.remove(name);
  if (ports.configured !== null && !(await ports.configured.remove()))
    throw new CertkeepError("state_conflict", {
      where: ports.configured.file,
      found: CHANGED_MEANWHILE,
      todo: "Run it again",
    });
  if (found !== null) {
    const removedAt = formatMs(ports.clock.nowMs());
    const { title, server } = found.state;
    await changeState(ports.states, found.key, title, server, (now) => ({ ...now, removedAt }));
  }
  const copies = Object.keys(found?.state.copies ?? {}).length;
  return { name: found?.key ?? name, registered, revoked, copies };
}

interface Found {
  readonly key: string;
  readonly state: StateDocument;
}

async function stateNamed(key: string, { states }: RemovePorts): Promise<Found | null> {
  const state = await readState(states, key);
  return state === null ? null : { key, state };
}

/** The state of a cluster without a registration, by its key or by what a person calls it. */
async function stateLeft(name: string, ports: RemovePorts): Promise<Found> {
  const keys = await stateKeys(ports.states);
  const left: Found[] = [];
  for (const key of keys.includes(name) ? [name] : keys) {
    try {
      const found = await stateNamed(key, ports);
      if (found !== null && found.state.removedAt === undefined) left.push(found);
    } catch (error) {
      // Another cluster's damaged state is told by reports.
      if (!isCertkeepError(error) || key === name) throw error;
    }
  }
  const meantOnes = left.filter(({ key, state }) => key === name || calledBy(state) === name);
  const [only] = meantOnes;
  if (meantOnes.length === 1 && only !== undefined) return only;
  const suggestion = meant(
    name,
    left.flatMap(({ key, state }) => [key, calledBy(state)]),
  );
  throw new CertkeepError("usage", {
    where: `cluster ${name}`,
    found:
      only === undefined
        ? `it has no registration in ${ports.registrations.place}, and no audit recorded it`
        : `${meantOnes.length} clusters without a registration have this name`,
    todo:
      (only === undefined
        ? "Name a cluster of `certkeep clusters` or of a report"
        : `Name one of: ${meantOnes.map(({ key }) => key).join(", ")}`) +
      (suggestion === null ? "" : `. Did you mean ${suggestion}?`),
  });
}

async function revoke(
  name: string,
  found: Found | null,
  { registrar, reader, server }: NonNullable<RemovePorts["admin"]>,
): Promise<ObjectName[]> {
  if (found !== null && notPinned(found.state, await reader.identity()) !== null)
    throw new CertkeepError("usage", {
      where: `cluster ${name}`,
      found: `the context leads to another cluster (${server})`,
      todo: "Nothing was removed. Name the context of the registered cluster: --context CTX",
    });
  const revoked: ObjectName[] = [];
  for (const object of await registrar.find(registrationSelector(name))) {
    await registrar.remove(object);
    revoked.push(object);
  }
  return revoked;
}

/**
 * What earlier registrations under this name made and this one doesn't want. Never fails what is
 * done already.
 */
export async function tidy(
  request: RegisterRequest,
  ports: RegisterPorts,
  objects: readonly AccessObject[],
  before: StoredRegistration | null,
): Promise<void> {
  const { name } = request;
  try {
    if (request.apply) {
      const wanted = new Set(objects.map((object) => keyOf(nameOf(object))));
      const found = await ports.registrar.find(registrationSelector(name));
      // The newest two tokens of each bearer stay: an audit may be using the one before.
      const tokens = found
        .filter(({ kind }) => kind === "Secret")
        .map(({ name: secret }) => secret);
      const kept = new Set(
        request.kind === "token-secret"
          ? bearersOf(request.plan).flatMap((bearer) =>
              tokens
                .filter((secret) => secret.startsWith(`${accessName(name, bearer)}-`))
                .toSorted()
                .slice(-2),
            )
          : [],
      );
      for (const object of found)
        if (object.kind === "Secret" ? !kept.has(object.name) : !wanted.has(keyOf(object)))
          await ports.registrar.remove(object);
    }
    await ports.registrations.tidy(name, before);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    ports.note(
      `cluster ${name} is registered; what an earlier registration left could not be taken ` +
        `away: ${error.message}`,
    );
  }
}

/** Takes back what a registration that failed had made. */
export async function undo(
  name: string,
  created: readonly ObjectName[],
  ports: RegisterPorts,
): Promise<void> {
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      ports.note(`cluster ${name}: ${what} was made and could not be taken back: ${error.message}`);
    }
  };
  // Somebody else registered the name meanwhile, and rests on the same objects.
  if ((await ports.registrations.read(name)) !== null) return;
  // A namespace stays: it is empty, and deleting one takes whatever somebody else put there
  // meanwhile.
  for (const object of created.filter(({ kind }) => kind !== "Namespace").toReversed())
    await attempt(`${object.kind} ${object.name}`, () => ports.registrar.remove(object));
}

function keyOf({ kind, namespace, name }: ObjectName): string {
  return `${kind}/${namespace ?? ""}/${name}`;
}

export function nameOf(object: AccessObject): ObjectName {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: object.metadata.namespace ?? null,
    name: object.metadata.name,
  };
}
