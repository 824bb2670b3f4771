/** How each certificate of a state would fare if it had to be restored now. Pure. */
import { formatMsOrNull } from "../../certificate/time.ts";
import type { DrilledCertificate } from "../../report/drill.ts";
import { certificates, type CertificateEntry, titleOf } from "../../state/certificates.ts";
import type { CertificateRecord, StateDocument } from "../../state/document.ts";
import type { Examined } from "./examine.ts";

export function drilledCertificates(
  cluster: string,
  state: StateDocument,
  examined: readonly Examined[],
  nowMs: number,
): DrilledCertificate[] {
  const usable = examined.filter(
    ({ copy, opened }) =>
      copy.cluster === cluster &&
      copy.verdict === "good" &&
      !copy.retired &&
      opened?.record.header.kind === "certificate",
  );
  return [...certificates(state, nowMs)].flatMap((entry): DrilledCertificate[] => {
    const { condition, namespace, secret, record, verdict } = entry;
    if (condition === "pending" || record.staging) return [];
    const live = condition === "lost" ? "lost" : verdict.valid ? "valid" : "not_valid";
    const title = titleOf(entry);
    return [{ cluster, namespace, secret, title, live, good: newestFor(entry, usable) }];
  });
}

function newestFor(
  entry: CertificateEntry & { readonly record: CertificateRecord },
  usable: readonly Examined[],
): DrilledCertificate["good"] {
  const nameSet = (names: readonly string[]): string => [...names].toSorted().join(",");
  const endOf = ({ opened }: Examined): number => opened?.pair?.notAfterMs ?? 0;
  const [newest] = usable
    .filter(({ opened }) => {
      const header = opened?.record.header;
      return (
        header?.namespace === entry.namespace &&
        header.secret === entry.secret &&
        header.fieldBase === entry.fieldBase &&
        nameSet(header.names) === nameSet(entry.record.names)
      );
    })
    .toSorted((a, b) => endOf(b) - endOf(a));
  if (newest === undefined) return null;
  const { version, recordedAt } = newest.copy;
  return { version, recordedAt, notAfter: formatMsOrNull(newest.opened?.pair?.notAfterMs ?? null) };
}
