/**
 * Storage: what is issued can't be stored. The server's own answers come first (may the owner's
 * account read and write its Secret, is it immutable), then what the owner logged, then Events,
 * which go stale, then Secrets that something else recreated or emptied.
 */
import { parseMs } from "../certificate/time.ts";
import { serialKey } from "../ratelimit/issuance.ts";
import { NOTICED_MS, precedesReissue, type Subject } from "./subject.ts";
import { type Cause, causeOf, type Hint } from "./cause.ts";
import { basedOn } from "./evidence.ts";
import { accessMeasures, otherToolMeasures, recreateMeasures, restoreMeasures } from "./measure.ts";
import { reportedHints } from "./reported.ts";
import { isIntended } from "../state/secrets.ts";

/** An older answer is shown with when it was asked: the server may answer otherwise now. */
const ANSWER_MS = 26 * 3_600_000;

const WRITES: ReadonlySet<string> = new Set(["update", "patch", "create"]);

export function storageCause(of: Subject): Cause | null {
  return causeOf("storage", [
    ...accessHints(of),
    ...immutableHints(of),
    ...reportedHints(of, "storage"),
    ...otherToolHints(of),
  ]);
}

function* accessHints(of: Subject): Generator<Hint> {
  const denied = Map.groupBy(
    of.access.filter(({ allowed }) => !allowed),
    ({ secret, account }) => `${secret} ${account}`,
  );
  for (const answers of denied.values()) {
    const [first] = answers;
    const entry = of.entries.find(({ key }) => key === first?.secret);
    if (first === undefined || entry === undefined || isIntended(entry.loss)) continue;
    const verbs = [...new Set(answers.map(({ verb }) => verb))].toSorted();
    const sinceMs = Math.min(...answers.map(({ sinceMs: ms }) => ms));
    const askedMs = Math.max(...answers.map(({ atMs }) => atMs));
    const assumed = answers.every((answer) => answer.assumed === true);
    const old = of.atMs - askedMs > ANSWER_MS;
    const { account, reason } = first;
    yield {
      confidence: assumed ? "possible" : old ? "likely" : "proven",
      ...basedOn({
        source: "access",
        where: first.secret,
        atMs: askedMs,
        seen: {
          kind: "access_denied",
          to: verbs.some((verb) => WRITES.has(verb)) ? "write" : "read",
          account,
          verbs,
          sinceMs,
          reason,
          askedMs,
          askedAgoMs: old ? of.atMs - askedMs : null,
          assumed,
        },
      }),
      measures: [
        ...accessMeasures(entry, first.account, verbs[0] ?? "patch"),
        ...restoreMeasures(of, entry),
      ],
      overMs: null,
    };
  }
}

function* immutableHints(of: Subject): Generator<Hint> {
  for (const entry of of.entries) {
    if (!entry.holder.immutable || entry.owner === "nobody" || entry.loss !== null) continue;
    const readMs = parseMs(entry.holder.recordedAt);
    yield {
      confidence: "proven",
      ...basedOn({
        source: "secret",
        where: entry.key,
        atMs: readMs,
        seen: { kind: "immutable", readMs },
      }),
      measures: recreateMeasures(of, entry),
      overMs: null,
    };
  }
}

function* otherToolHints(of: Subject): Generator<Hint> {
  for (const entry of of.entries) {
    if (entry.condition === "missing_content") {
      const { sinceMs } = entry;
      yield {
        confidence: "likely",
        ...basedOn({
          source: "secret",
          where: entry.key,
          atMs: sinceMs,
          seen: { kind: "emptied", serial: entry.record.serial, sinceMs },
        }),
        measures: [...restoreMeasures(of, entry), ...otherToolMeasures(entry)],
        overMs: null,
        precedes: precedesReissue(of, sinceMs - NOTICED_MS, of.atMs),
      };
    }
    for (const { at, uid, base, state, serial } of entry.holder.earlier ?? []) {
      const atMs = parseMs(at);
      const made = uid !== entry.holder.uid;
      const emptied =
        state === "empty" || state === "certificate_missing" || state === "key_missing";
      if (base !== entry.fieldBase || (!made && !emptied) || of.atMs < atMs) continue;
      const followed =
        entry.record !== null &&
        of.needless.some(
          ({ issuance }) => issuance.serial === serialKey(entry.record?.serial ?? ""),
        );
      yield {
        confidence: followed || emptied ? "likely" : "possible",
        ...basedOn({
          source: "secret",
          where: entry.key,
          atMs,
          seen: made
            ? {
                kind: "recreated",
                deleted: state === "gone",
                uid,
                serial,
                untilMs: atMs,
                uidNow: entry.holder.uid,
              }
            : { kind: "had_been_emptied", state, untilMs: atMs },
        }),
        measures: otherToolMeasures(entry),
        overMs: entry.verdict?.valid === true ? atMs : null,
        precedes: precedesReissue(of, atMs - NOTICED_MS, atMs),
      };
    }
  }
}
