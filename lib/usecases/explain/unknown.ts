/** Names that no certificate, cluster or finding has: why, and what was probably meant. Pure. */
import { meant } from "../../config/problem.ts";
import { CertkeepError } from "../../error.ts";
import { CODES } from "../../finding/codes.ts";
import { foreignKeys, type Secrets } from "../../state/secrets.ts";

/** @throws CertkeepError usage where the name is that of a Secret of a private CA */
export function refuseSkipped(name: string, states: readonly Secrets[]): void {
  const keys = states.flatMap(foreignKeys);
  const skipped = keys.find((key) => key === name || key.endsWith(`/${name}`));
  if (skipped === undefined) return;
  throw new CertkeepError("usage", {
    where: `explain ${skipped}`,
    found: "skipped, since its certificate is from a private CA",
    todo: "To include it, list the CA under issuers: in certkeep.yaml",
  });
}

export function unknownName(
  name: string,
  audited: number,
  unread: number,
  names: readonly string[],
): CertkeepError {
  const isCode = Object.hasOwn(CODES, name);
  const near = isCode ? null : (meant(name, names) ?? begunBy(name, names));
  // What could not be read may hold it.
  const lacking =
    unread === 0 ? "" : ` (${unread === 1 ? "a state" : `${unread} states`} could not be read)`;
  if (audited === 0)
    return new CertkeepError("usage", {
      where: "explain",
      found: `no cluster was audited yet${lacking}`,
      todo: "Run: certkeep audit",
    });
  return new CertkeepError("usage", {
    where: "explain",
    found: isCode ? `no ${name} finding now${lacking}` : `no match for "${name}"${lacking}`,
    todo:
      near !== null
        ? `Did you mean ${near}?`
        : isCode
          ? "certkeep audit lists the present ones"
          : "Name a domain, NAMESPACE/SECRET, a cluster or a finding",
  });
}

/** The shortest name that begins so: `shop` for `shop.tail1a2b3.ts.net`. */
function begunBy(name: string, names: readonly string[]): string | null {
  if (name.length < 2) return null;
  const found = names.filter((one) => one.toLowerCase().startsWith(name.toLowerCase()));
  return found.toSorted((a, b) => a.length - b.length)[0] ?? null;
}
