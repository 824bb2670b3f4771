/** What a registration leaves to take away: of an earlier one, or of one that failed. */
import { isCertkeepError } from "../../error.ts";
import type { ObjectName } from "../../ports/cluster.ts";
import type { StoredRegistration } from "../../ports/registry.ts";
import {
  accessName,
  bearersOf,
  registrationSelector,
  type AccessObject,
} from "../../rbac/manifest.ts";
import type { RegisterPorts, RegisterRequest } from "./context.ts";

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

/** How an object is found and removed again. */
export function nameOf(object: AccessObject): ObjectName {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: object.metadata.namespace ?? null,
    name: object.metadata.name,
  };
}
