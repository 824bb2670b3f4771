/**
 * Issuers' revocation lists, each fetched and read once a run: for restores and audits alike. What
 * was read is kept as long as all together stay small.
 */
import { parseRevocationList, type RevocationList } from "../restoreplan/crl.ts";
import type { RevocationSource } from "../ports/outside.ts";
import type { RevocationGap } from "../restoreplan/view.ts";

export type FoundList =
  | { readonly ok: true; readonly list: RevocationList }
  | { readonly ok: false; readonly gap: RevocationGap };

export interface RevocationLists {
  /** `hosts`: those of the issuer, nobody else is asked. Never throws. */
  list(url: string, hosts: readonly string[], signal?: AbortSignal): Promise<FoundList>;
}

/**
 * Lists kept for the rest of a run, by their size as they came; what is read of one takes a few
 * times as much.
 */
const KEPT_BYTES = 16 * 1024 * 1024;

export function createRevocationLists(
  source: RevocationSource,
  keptBytes = KEPT_BYTES,
): RevocationLists {
  const known = new Map<string, Promise<FoundList>>();
  const sizes = new Map<string, number>();
  const fetchList = async (
    url: string,
    hosts: readonly string[],
    signal?: AbortSignal,
  ): Promise<FoundList> => {
    const answer = await source.fetch(url, hosts, signal);
    if (!answer.ok) return { ok: false, gap: { gap: "unreached", found: answer.why } };
    const list = parseRevocationList(answer.der);
    if (list === null) return { ok: false, gap: { gap: "list_unreadable" } };
    sizes.set(url, answer.der.byteLength);
    // The oldest goes first; asked for again, it is fetched again.
    for (const oldest of sizes.keys()) {
      if (oldest === url || [...sizes.values()].reduce((sum, size) => sum + size, 0) <= keptBytes)
        break;
      sizes.delete(oldest);
      known.delete(oldest);
    }
    return { ok: true, list };
  };
  return {
    list: (url, hosts, signal) => {
      const asked = known.get(url) ?? fetchList(url, hosts, signal);
      known.set(url, asked);
      // What one who was in a hurry gave up may be there for the next.
      return asked.then((found) => {
        if (!found.ok && signal?.aborted === true && known.get(url) === asked) known.delete(url);
        return found;
      });
    },
  };
}
