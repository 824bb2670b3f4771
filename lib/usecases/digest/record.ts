/** What all routes remember and still have queued: one document in the state store. */
import { CertkeepError } from "../../error.ts";
import type { StateStore } from "../../ports/stores.ts";
import {
  DIGEST_NAME,
  emptyDigest,
  formatDigest,
  parseDigest,
  type DigestDocument,
  type RouteRecord,
} from "../../state/digest.ts";

const WRITE_TRIES = 12;

export async function readDigest(
  states: StateStore,
): Promise<{ readonly document: DigestDocument; readonly revision: string | null }> {
  const stored = await states.read(DIGEST_NAME);
  if (stored === null) return { document: emptyDigest(), revision: null };
  const parsed = parseDigest(stored.text);
  if (parsed.ok) return { document: parsed.document, revision: stored.revision };
  const where = `${states.url}/${DIGEST_NAME}, ${parsed.place}`;
  if (parsed.newer)
    throw new CertkeepError("state_format_newer", {
      where,
      found: parsed.found,
      expected: "format 1",
      todo: "Update certkeep: a newer version wrote it",
    });
  throw new CertkeepError("state_damaged", {
    where,
    found: parsed.found,
    expected: "a record of digests",
    todo:
      "Nothing was written or posted. Replace it with an older revision, or move it away: the " +
      "next digest is then a first one",
  });
}

/**
 * Changes one route's record; `change` gives `null` to leave it, and is called again after a
 * conflict.
 */
export async function updateRoute(
  states: StateStore,
  name: string,
  change: (record: RouteRecord | null) => RouteRecord | null | Promise<RouteRecord | null>,
): Promise<RouteRecord | null> {
  for (let tries = 0; tries < WRITE_TRIES; tries += 1) {
    const { document, revision } = await readDigest(states);
    const before = document.routes[name] ?? null;
    const after = await change(before);
    if (after === null) return before;
    if (
      (await states.write(
        DIGEST_NAME,
        formatDigest({ ...document, routes: { ...document.routes, [name]: after } }),
        revision,
      )) !== null
    )
      return after;
  }
  throw new CertkeepError("state_conflict", {
    where: `${states.url}/${DIGEST_NAME}`,
    found: `other writers, ${WRITE_TRIES} times in a row`,
    expected: "no other writer",
    todo: "Run it again",
  });
}
