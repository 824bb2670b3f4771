/**
 * Recreating a Secret that can't be changed: it is deleted and created again with everything in it.
 * Between the two it exists nowhere in the cluster, so it is sealed first into a note, a Secret
 * beside it: a run that ends in between loses nothing, and the next one completes it.
 */
import { createHash } from "node:crypto";
import type { V1Secret } from "@kubernetes/client-node";
import { CertkeepError, isCertkeepError } from "../../error.ts";
import type { ClusterReader, SecretPlace, WriteOutcome } from "../../ports/cluster.ts";
import type { PlanWarning } from "../../restoreplan/objection.ts";
import type { SecretWrite } from "../../restoreplan/item.ts";
import { isSecretOf, metadataToAdd, recreatedSecret } from "../../restoreplan/metadata.ts";
import type { LiveSecret } from "../../restoreplan/view.ts";
import { decodeBase64 } from "../../encoding.ts";
import { OPAQUE_TYPE } from "../../secret/shapes.ts";
import type { RestorePorts, RestoreTarget } from "./context.ts";
import type { LiveCluster } from "./live.ts";

/** An armored age file. */
const NOTE_FIELD = "secret.age";
const NOTE_ANNOTATION = "certkeep.dev/recreates";

export interface RecreateContext {
  readonly target: Pick<RestoreTarget, "reader" | "writer">;
  readonly ports: RestorePorts;
  readonly recipients: readonly string[];
  /** The server checks and stores nothing. */
  readonly rehearse: boolean;
}

function siblingOf({ namespace, name }: SecretPlace, purpose: string): SecretPlace {
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return { namespace, name: `certkeep-${purpose}-${digest}` };
}

const noteOf = (place: SecretPlace): SecretPlace => siblingOf(place, "recreate");

/**
 * `conflict`: it isn't the version that was planned from, and is untouched. @throws CertkeepError
 */
export async function recreateSecret(
  write: SecretWrite,
  live: LiveSecret,
  context: RecreateContext,
): Promise<WriteOutcome> {
  const { writer } = context.target;
  const place = { namespace: write.namespace, name: write.name };
  const whole = await writer.readWhole(place);
  if (whole === null || whole.metadata?.resourceVersion !== live.resourceVersion) return "conflict";
  const next = recreatedSecret(whole, write, metadataToAdd(write, live));
  // What the server would refuse is known before anything is deleted. The name is taken as yet.
  await writer.createWhole(siblingOf(place, "check"), next, { dryRun: true });
  const deletion = { ...place, uid: live.uid, resourceVersion: live.resourceVersion };
  if (context.rehearse) return writer.deleteSecret(deletion, { dryRun: true });
  await writeNote(place, next, context);
  if ((await writer.deleteSecret(deletion)) === "conflict") {
    await removeNote(place, context);
    return "conflict";
  }
  await createAgain(place, next, context);
  await removeNote(place, context);
  return "done";
}

/** @throws CertkeepError, which says where everything lies that the Secret held */
async function createAgain(
  place: SecretPlace,
  whole: V1Secret,
  { target: { writer } }: Pick<RecreateContext, "target">,
): Promise<void> {
  const where = `Secret ${place.namespace}/${place.name}`;
  const kept = `It is sealed in Secret ${noteOf(place).name}, field ${NOTE_FIELD}`;
  let outcome: WriteOutcome;
  try {
    outcome = await writer.createWhole(place, whole);
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    throw new CertkeepError(error.code, {
      where,
      found: `it was deleted, and creating it again failed: ${error.message}`,
      todo: `${kept}. Run the same command again: it creates it from there`,
    });
  }
  if (outcome === "conflict")
    throw new CertkeepError("cluster_conflict", {
      where,
      found: "something else created it while it was recreated, without what it held",
      todo: `${kept}: decrypt that with age, and take from it what is missing`,
    });
}

async function writeNote(
  place: SecretPlace,
  whole: V1Secret,
  context: RecreateContext,
): Promise<void> {
  const { ports, recipients, target } = context;
  const plaintext = Buffer.from(JSON.stringify(whole), "utf8");
  let sealed: string;
  try {
    sealed = await ports.sealer.seal(plaintext, recipients);
  } finally {
    plaintext.fill(0);
  }
  const note = {
    ...noteOf(place),
    type: OPAQUE_TYPE,
    labels: { "app.kubernetes.io/managed-by": "certkeep" },
    annotations: { [NOTE_ANNOTATION]: place.name },
    data: { [NOTE_FIELD]: Buffer.from(sealed, "utf8").toString("base64") },
  };
  if ((await target.writer.createSecret(note)) === "done") return;
  // Of an earlier run, which ended before it deleted the Secret, or after it had created it again.
  await removeNote(place, context);
  if ((await target.writer.createSecret(note)) === "done") return;
  throw new CertkeepError("cluster_conflict", {
    where: `Secret ${note.namespace}/${note.name}`,
    found: "something else writes it",
    todo: "Run the command again once no other restore runs",
  });
}

async function removeNote(
  place: SecretPlace,
  { target: { reader, writer }, ports }: Pick<RecreateContext, "target" | "ports">,
): Promise<void> {
  const { namespace, name } = noteOf(place);
  try {
    const there = await reader.getSecret(namespace, name);
    if (there !== null)
      await writer.deleteSecret({
        namespace,
        name,
        uid: there.uid,
        resourceVersion: there.resourceVersion,
      });
  } catch (error) {
    if (!isCertkeepError(error)) throw error;
    ports.progress.note(
      `Secret ${namespace}/${name} is no longer needed; delete it. ${error.message}`,
    );
  }
}

/**
 * Completes what an earlier run left: of the places at which a Secret may have been recreated,
 * those that are absent and have a note get their Secret again. @returns what a person has to know
 */
export async function completeRecreation(
  places: readonly SecretPlace[],
  live: LiveCluster,
  context: Omit<RecreateContext, "recipients"> & { readonly apply: boolean },
): Promise<readonly PlanWarning[]> {
  const warnings: PlanWarning[] = [];
  for (const place of places) {
    const { state } = live.at(place.namespace, place.name);
    if (state === "unknown") continue;
    try {
      const done = await complete(place, state === "present", context);
      if (done !== null)
        warnings.push({
          warning: "recreation",
          namespace: place.namespace,
          secret: place.name,
          state: done,
          note: noteOf(place).name,
        });
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      // Without permission to read the note, none is known.
      if (error.code !== "cluster_forbidden")
        warnings.push({ warning: "error", found: error.message });
    }
    if (state === "absent" && context.apply) await live.refresh(place);
  }
  return warnings;
}

async function complete(
  place: SecretPlace,
  present: boolean,
  context: Omit<RecreateContext, "recipients"> & { readonly apply: boolean },
): Promise<"note_unreadable" | "to_create" | "created" | null> {
  const { target, ports, apply } = context;
  const note = await noteAt(place, target.reader);
  if (note === null) return null;
  if (present) {
    if (apply) await removeNote(place, context);
    return null;
  }
  const whole = await openNote(note, place, ports);
  if (whole === null) return "note_unreadable";
  if (!apply) return "to_create";
  await createAgain(place, whole, context);
  await removeNote(place, context);
  return "created";
}

async function noteAt(place: SecretPlace, reader: ClusterReader): Promise<string | null> {
  const { namespace, name } = noteOf(place);
  const there = await reader.getSecret(namespace, name);
  const bytes = there === null ? null : decodeBase64(there.data[NOTE_FIELD] ?? "");
  return bytes === null ? null : Buffer.from(bytes).toString("utf8");
}

async function openNote(
  note: string,
  place: SecretPlace,
  { opener }: Pick<RestorePorts, "opener">,
): Promise<V1Secret | null> {
  let plaintext: Uint8Array;
  try {
    plaintext = await opener.open(note);
  } catch (error) {
    if (!isCertkeepError(error, "open_failed", "sealed_for_others")) throw error;
    return null;
  }
  try {
    const parsed: unknown = JSON.parse(Buffer.from(plaintext).toString("utf8"));
    return isSecretOf(parsed, place) ? parsed : null;
  } catch {
    return null;
  } finally {
    plaintext.fill(0);
  }
}
