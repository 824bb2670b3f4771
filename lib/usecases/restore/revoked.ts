/**
 * Whether a copy's certificate was revoked, as far as its issuer's own list says; else that it
 * isn't known, and why.
 */
import { parseChain } from "../../certificate/judge.ts";
import type { Certificate } from "../../certificate/parse.ts";
import { createPool } from "../../certificate/anchors.ts";
import { isRevokedBy, revocationHosts } from "../../restoreplan/crl.ts";
import type { Revocation, RevocationGap } from "../../restoreplan/view.ts";
import { pairBytes } from "./judge.ts";
import { createRevocationLists } from "../revocation.ts";
import { isShape } from "../../secret/shapes.ts";
import type { RestorePorts } from "./context.ts";
import type { AskRevocation } from "./open.ts";

function unknown(gap: RevocationGap): Revocation {
  return { state: "unknown", gap };
}

/** Asks each list once a run. */
export function createRevocationAsker(
  ports: Pick<RestorePorts, "revocation" | "kit" | "clock">,
): AskRevocation {
  const { revocation, kit } = ports;
  if (revocation === null) return async () => unknown({ gap: "not_asked" });
  const lists = createRevocationLists(revocation);
  return async (record, pair) => {
    const bytes = isShape(record.header.shape)
      ? pairBytes(record.header.shape, record.header.fieldBase, record.data)
      : null;
    if (bytes === null || pair.issuer === null) return unknown({ gap: "issuer_not_asked" });
    const hosts = revocationHosts(pair.issuer);
    if (hosts.length === 0) return unknown({ gap: "issuer_not_asked" });
    const { leaf, further } = parseChain(bytes.certificate);
    const [url] = leaf?.crlDistributionPoints ?? [];
    if (leaf === null || url === undefined) return unknown({ gap: "no_list" });
    const issuer = await signerOf(leaf, further, kit);
    if (issuer === null) return unknown({ gap: "no_issuer" });
    const answer = await lists.list(url, hosts);
    if (!answer.ok) return unknown(answer.gap);
    return isRevokedBy(answer.list, { leaf, issuer, url, nowMs: ports.clock.nowMs() });
  };
}

/** The certificate that signed the leaf: of its chain, or of the issuer's known ones. */
async function signerOf(
  leaf: Certificate,
  further: readonly Certificate[],
  kit: RestorePorts["kit"],
): Promise<Certificate | null> {
  for (const set of [createPool(further), kit.intermediates, kit.anchors]) {
    for (const parent of set.parentsOf(leaf))
      if ((await kit.verifier.check(leaf, parent)) === null) return parent;
  }
  return null;
}
