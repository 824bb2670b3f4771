/**
 * Storage: what is issued can't be kept. The server's own answers come first (may the owner's account read and write
 * its Secret, is it immutable), then what the owner logged, then Events, which go stale, then Secrets that something
 * else made anew or emptied.
 */
import { formatMs } from "../certificate/time.ts";
import { serialKey } from "../ratelimit/issuance.ts";
import type { LogSign } from "../state/observations.ts";
import { instantNs, msOf } from "../finding/verdict.ts";
import { instantOf, spanPhrase } from "../finding/words.ts";
import { BEARING_CONFIDENCE } from "./bearing.ts";
import { type Case, EVENT_MS, overSince } from "./case.ts";
import type { Cause, EvidenceLine, Measure } from "./cause.ts";
import { causeOf, type Lead } from "./lead.ts";
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

export function storageCause(of: Case): Cause | null {
  return causeOf("storage", [
    ...accessLeads(of),
    ...immutableLeads(of),
    ...writeLeads(of),
    ...readLeads(of),
    ...eventLeads(of),
    ...otherToolLeads(of),
  ]);
}

function* accessLeads(of: Case): Generator<Lead> {
  const denied = Map.groupBy(
    of.access.filter(({ allowed }) => !allowed),
    ({ secret, account }) => `${secret} ${account}`,
  );
  for (const answers of denied.values()) {
    const [first] = answers;
    const place = of.places.find(({ key }) => key === first?.secret);
    if (first === undefined || place === undefined || place.loss?.how === "removed") continue;
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
        ...accessMeasures(place, first.account, verbs[0] ?? "patch"),
        ...restoreMeasures(of, place),
      ],
      overMs: null,
    };
  }
}

function* immutableLeads(of: Case): Generator<Lead> {
  for (const place of of.places) {
    if (!place.holder.immutable || place.owner === "nobody" || place.loss !== null) continue;
    yield {
      confidence: "proven",
      because: "the Secret is immutable, so that no renewal can be stored",
      evidence: [
        {
          source: "secret",
          where: place.key,
          atMs: msOf(instantNs(place.holder.recordedAt)),
          text: `immutable: true, as read at ${place.holder.recordedAt}`,
        },
      ],
      measures: immutableMeasures(of, place),
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

function writeMeasures(of: Case, { code }: LogSign): readonly Measure[] {
  const [place] = of.places;
  if (place === undefined) return apiMeasures();
  if (code === "forbidden")
    return [...accessMeasures(place, null, "patch"), ...restoreMeasures(of, place)];
  if (code === "immutable") return immutableMeasures(of, place);
  if (code === "not_found") return restoreMeasures(of, place, true);
  if (code === "conflict") return otherToolMeasures(place);
  return apiMeasures();
}

/** Issued, and lost: the line comes after “got cert”. */
function* writeLeads(of: Case): Generator<Lead> {
  for (const { seen, bearing } of of.signs) {
    if (seen.kind !== "store_write_failed") continue;
    const issued = of.signs.filter(
      (one) =>
        one.seen.kind === "issued" && one.bearing === "name" && one.seen.where === seen.where,
    );
    yield {
      confidence: BEARING_CONFIDENCE[bearing],
      because: `what is issued can't be stored: ${WRITE_WORDS.get(seen.code) ?? "the write fails"} (${times(seen.count)}, last at ${instantOf(seen.lastMs)})`,
      evidence: [logLine(seen), ...issued.map((one) => logLine(one.seen))],
      measures: writeMeasures(of, seen),
      overMs: overSince(of, seen.lastMs),
    };
  }
}

/** A Secret that may not be read, or isn't there, counts as empty for a ProxyGroup's pods; any other failure orders nothing. */
function* readLeads(of: Case): Generator<Lead> {
  const shares = of.places.some(
    ({ layout }) => layout === "ha-ingress" || layout === "apiserver-proxygroup",
  );
  for (const { seen, bearing } of of.signs) {
    if (seen.kind !== "store_read_failed") continue;
    const reissues = shares && (seen.code === "forbidden" || seen.code === "not_found");
    yield {
      confidence: reissues && bearing === "name" ? "likely" : "possible",
      because: `its owner couldn't read what is stored (${times(seen.count)}, last at ${instantOf(seen.lastMs)})${reissues ? ", which counts as nothing there" : ""}`,
      evidence: [logLine(seen)],
      measures: writeMeasures(of, seen),
      overMs: overSince(of, seen.lastMs),
    };
  }
}

function* eventLeads(of: Case): Generator<Lead> {
  for (const { seen, bearing } of of.events) {
    if (seen.reason !== "TailscaleStateUpdateFailed" && seen.reason !== "TailscaleStateLoadFailed")
      continue;
    const old = of.atMs - seen.lastMs > EVENT_MS;
    yield {
      confidence: bearing === "owner" && !old ? "likely" : "possible",
      because: `its owner's Events tell of failures to ${seen.reason === "TailscaleStateLoadFailed" ? "load" : "store"} its state (last at ${instantOf(seen.lastMs)})`,
      evidence: [eventLine(seen)],
      measures: [
        ...(of.places[0] === undefined ? [] : accessMeasures(of.places[0], null, "patch")),
        ...apiMeasures(),
      ],
      overMs: overSince(of, seen.lastMs),
    };
  }
}

/** Emptied fields, and Secrets that stood there under another uid before. */
function* otherToolLeads(of: Case): Generator<Lead> {
  for (const place of of.places) {
    if (place.condition === "missing_content") {
      const since = formatMs(place.sinceMs);
      yield {
        confidence: "likely",
        because: `something emptied its fields while the Secret stood (since ${since})`,
        evidence: [
          {
            source: "secret",
            where: place.key,
            atMs: place.sinceMs,
            text: `held serial ${place.record.serial}, empty since ${since}`,
          },
        ],
        measures: [...restoreMeasures(of, place), ...otherToolMeasures(place)],
        overMs: null,
      };
    }
    for (const { at, uid, base, state, serial } of place.holder.earlier ?? []) {
      const made = uid !== place.holder.uid;
      const emptied =
        state === "empty" || state === "certificate_missing" || state === "key_missing";
      if (base !== place.fieldBase || (!made && !emptied) || of.atMs < msOf(instantNs(at)))
        continue;
      const followed =
        place.record !== null &&
        of.needless.some(
          ({ issuance }) => issuance.serial === serialKey(place.record?.serial ?? ""),
        );
      yield {
        confidence: followed || emptied ? "likely" : "possible",
        because: made
          ? `its Secret was ${state === "gone" ? "deleted and " : ""}made anew without what it held (seen at ${at})`
          : `its fields had been emptied (seen at ${at})`,
        evidence: [
          {
            source: "secret",
            where: place.key,
            atMs: msOf(instantNs(at)),
            text: made
              ? `uid ${uid} with ${serial === null ? "no certificate" : `serial ${serial}`} until ${at}, uid ${place.holder.uid} since`
              : `fields ${state.replaceAll("_", " ")} until ${at}`,
          },
        ],
        measures: otherToolMeasures(place),
        overMs: place.verdict?.valid === true ? msOf(instantNs(at)) : null,
      };
    }
  }
}
