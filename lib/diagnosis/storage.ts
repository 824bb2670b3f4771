/**
 * Storage: what is issued can't be kept. The server's own answers come first (may the owner's account read and write
 * its Secret, is it immutable), then what the owner logged, then Events, which go stale, then Secrets that something
 * else made anew or emptied.
 */
import { formatMs } from "../certificate/time.ts";
import { serialKey } from "../ratelimit/issuance.ts";
import type { LogSignal } from "../state/observations.ts";
import { instantNs, msOf } from "../finding/verdict.ts";
import { instantOf, spanPhrase } from "../finding/words.ts";
import { ATTRIBUTION_CONFIDENCE } from "./clusterindex.ts";
import { type Subject, EVENT_MS, overSince } from "./subject.ts";
import type { Cause, EvidenceLine, Measure } from "./cause.ts";
import { causeOf, type Hint } from "./cause.ts";
import {
  accessMeasures,
  apiMeasures,
  immutableMeasures,
  otherToolMeasures,
  restoreMeasures,
} from "./measure.ts";
import { eventLine, logLine, reasonOf, times } from "./text.ts";

/** An answer older than this is told as last asked: it isn't what the server would say now. */
const ANSWER_MS = 26 * 3_600_000;

const WRITES: ReadonlySet<string> = new Set(["update", "patch", "create"]);

export function storageCause(of: Subject): Cause | null {
  return causeOf("storage", [
    ...accessHints(of),
    ...immutableHints(of),
    ...writeHints(of),
    ...readHints(of),
    ...eventHints(of),
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
    if (first === undefined || entry === undefined || entry.loss?.how === "removed") continue;
    const verbs = [...new Set(answers.map(({ verb }) => verb))].toSorted();
    const sinceMs = Math.min(...answers.map(({ sinceMs: ms }) => ms));
    const askedMs = Math.max(...answers.map(({ atMs }) => atMs));
    const assumed = answers.every((answer) => answer.assumed === true);
    const old = of.atMs - askedMs > ANSWER_MS;
    const line: EvidenceLine = {
      source: "access",
      where: first.secret,
      atMs: askedMs,
      text: `${first.account} may not ${verbs.join(" or ")} it, since ${instantOf(sinceMs)} at the latest${reasonOf(first.reason)}; asked at ${instantOf(askedMs)}${assumed ? "; no pod was seen that bears the account: it is the one that the operator makes" : ""}`,
    };
    yield {
      confidence: old || assumed ? "likely" : "proven",
      because: `its owner can't ${verbs.some((verb) => WRITES.has(verb)) ? "write" : "read"} the Secret (forbidden since ${instantOf(sinceMs)}${old ? `, as last asked ${spanPhrase(of.atMs - askedMs)} ago` : ""})`,
      evidence: [line],
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
    yield {
      confidence: "proven",
      because: "the Secret is immutable, so that no renewal can be stored",
      evidence: [
        {
          source: "secret",
          where: entry.key,
          atMs: msOf(instantNs(entry.holder.recordedAt)),
          text: `immutable: true, as read at ${entry.holder.recordedAt}`,
        },
      ],
      measures: immutableMeasures(of, entry),
      overMs: null,
    };
  }
}

const WRITE_WORDS: ReadonlyMap<string | null, string> = new Map([
  ["forbidden", "the API server forbids it"],
  ["not_found", "the Secret is not there"],
  ["immutable", "the Secret is immutable"],
  ["conflict", "something else writes it at the same time"],
  ["unavailable", "the API server fails"],
]);

function writeMeasures(of: Subject, { code }: LogSignal): readonly Measure[] {
  const [entry] = of.entries;
  if (entry === undefined) return apiMeasures();
  if (code === "forbidden")
    return [...accessMeasures(entry, null, "patch"), ...restoreMeasures(of, entry)];
  if (code === "immutable") return immutableMeasures(of, entry);
  if (code === "not_found") return restoreMeasures(of, entry, true);
  if (code === "conflict") return otherToolMeasures(entry);
  return apiMeasures();
}

/** Issued, and lost: the line comes after “got cert”. */
function* writeHints(of: Subject): Generator<Hint> {
  for (const { signal, attribution } of of.signals) {
    if (signal.kind !== "store_write_failed") continue;
    const issued = of.signals.filter(
      (one) =>
        one.signal.kind === "issued" &&
        one.attribution === "name" &&
        one.signal.where === signal.where,
    );
    yield {
      confidence: ATTRIBUTION_CONFIDENCE[attribution],
      because: `what is issued can't be stored: ${WRITE_WORDS.get(signal.code) ?? "the write fails"} (${times(signal.count)}, last at ${instantOf(signal.lastMs)})`,
      evidence: [logLine(signal), ...issued.map((one) => logLine(one.signal))],
      measures: writeMeasures(of, signal),
      overMs: overSince(of, signal.lastMs),
    };
  }
}

/** A Secret that may not be read, or isn't there, counts as empty for a ProxyGroup's pods; any other failure orders nothing. */
function* readHints(of: Subject): Generator<Hint> {
  const shares = of.entries.some(
    ({ layout }) => layout === "ha-ingress" || layout === "apiserver-proxygroup",
  );
  for (const { signal, attribution } of of.signals) {
    if (signal.kind !== "store_read_failed") continue;
    const reissues = shares && (signal.code === "forbidden" || signal.code === "not_found");
    yield {
      confidence: reissues && attribution === "name" ? "likely" : "possible",
      because: `its owner couldn't read what is stored (${times(signal.count)}, last at ${instantOf(signal.lastMs)})${reissues ? ", which counts as nothing there" : ""}`,
      evidence: [logLine(signal)],
      measures: writeMeasures(of, signal),
      overMs: overSince(of, signal.lastMs),
    };
  }
}

function* eventHints(of: Subject): Generator<Hint> {
  for (const { signal, attribution } of of.events) {
    if (
      signal.reason !== "TailscaleStateUpdateFailed" &&
      signal.reason !== "TailscaleStateLoadFailed"
    )
      continue;
    const old = of.atMs - signal.lastMs > EVENT_MS;
    yield {
      confidence: attribution === "owner" && !old ? "likely" : "possible",
      because: `its owner's Events tell of failures to ${signal.reason === "TailscaleStateLoadFailed" ? "load" : "store"} its state (last at ${instantOf(signal.lastMs)})`,
      evidence: [eventLine(signal)],
      measures: [
        ...(of.entries[0] === undefined ? [] : accessMeasures(of.entries[0], null, "patch")),
        ...apiMeasures(),
      ],
      overMs: overSince(of, signal.lastMs),
    };
  }
}

/** Emptied fields, and Secrets that stood there under another uid before. */
function* otherToolHints(of: Subject): Generator<Hint> {
  for (const entry of of.entries) {
    if (entry.condition === "missing_content") {
      const since = formatMs(entry.sinceMs);
      yield {
        confidence: "likely",
        because: `something emptied its fields while the Secret stood (since ${since})`,
        evidence: [
          {
            source: "secret",
            where: entry.key,
            atMs: entry.sinceMs,
            text: `held serial ${entry.record.serial}, empty since ${since}`,
          },
        ],
        measures: [...restoreMeasures(of, entry), ...otherToolMeasures(entry)],
        overMs: null,
      };
    }
    for (const { at, uid, base, state, serial } of entry.holder.earlier ?? []) {
      const made = uid !== entry.holder.uid;
      const emptied =
        state === "empty" || state === "certificate_missing" || state === "key_missing";
      if (base !== entry.fieldBase || (!made && !emptied) || of.atMs < msOf(instantNs(at)))
        continue;
      const followed =
        entry.record !== null &&
        of.needless.some(
          ({ issuance }) => issuance.serial === serialKey(entry.record?.serial ?? ""),
        );
      yield {
        confidence: followed || emptied ? "likely" : "possible",
        because: made
          ? `its Secret was ${state === "gone" ? "deleted and " : ""}made anew without what it held (seen at ${at})`
          : `its fields had been emptied (seen at ${at})`,
        evidence: [
          {
            source: "secret",
            where: entry.key,
            atMs: msOf(instantNs(at)),
            text: made
              ? `uid ${uid} with ${serial === null ? "no certificate" : `serial ${serial}`} until ${at}, uid ${entry.holder.uid} since`
              : `fields ${state.replaceAll("_", " ")} until ${at}`,
          },
        ],
        measures: otherToolMeasures(entry),
        overMs: entry.verdict?.valid === true ? msOf(instantNs(at)) : null,
      };
    }
  }
}
