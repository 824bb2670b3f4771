/**
 * What reads or shows text of others takes time in proportion to it, whatever it is: the pieces,
 * again and again.
 */
import { describe, expect, it } from "vitest";
import { writeError } from "../lib/adapters/kubernetes/denial.ts";
import { parseKubeconfig } from "../lib/adapters/kubernetes/kubeconfig.ts";
import { parseMetadataPage, parseSecretPage } from "../lib/adapters/kubernetes/parse.ts";
import { parseDocument } from "../lib/backup/document.ts";
import { decodeSegment, encodeSegment, parseCopyKey } from "../lib/backup/keys.ts";
import { parseRecipient } from "../lib/backup/recipient.ts";
import { parseUriHost } from "../lib/certificate/uri.ts";
import { parseIp } from "../lib/certificate/ip.ts";
import { isDomain, matchesHostname, parseMailbox } from "../lib/certificate/domain.ts";
import { parsePemBlocks } from "../lib/certificate/pem.ts";
import { parseMsOrNull } from "../lib/certificate/time.ts";
import { parseAuditEvent, parseRestoreEvent } from "../lib/config/event.ts";
import { BACKUP_STORE, isSelector, STATE_STORE } from "../lib/config/form.ts";
import { parseConfig, parseRegistration } from "../lib/config/parse.ts";
import { isSecretive, meant, shown } from "../lib/config/problem.ts";
import { clusterNameFor } from "../lib/config/settings.ts";
import { patternOf } from "../lib/diagnosis/churn.ts";
import { shortened, plain, plainJson, plainOutput } from "../lib/plain.ts";
import { CertkeepError, isCertkeepError } from "../lib/error.ts";
import { commandLine, literal } from "../lib/report/command.ts";
import { matchesPattern } from "../lib/finding/place.ts";
import { readLog } from "../lib/ratelimit/log/reader.ts";
import { redact, sampleOf } from "../lib/ratelimit/log/line.ts";
import { parseRefusal } from "../lib/ratelimit/log/refusal.ts";
import { understand } from "../lib/ratelimit/log/understand.ts";
import { registeredDomain, setOf } from "../lib/ratelimit/limit.ts";
import { html } from "../lib/report/html/escape.ts";
import { calm, middle } from "../lib/report/part.ts";
import { slackText } from "../lib/report/slack/escape.ts";
import { cut, pad, wrap } from "../lib/report/text.ts";
import { parseSecrets } from "../lib/secret/document.ts";
import { isHostName } from "../lib/secret/shapes.ts";
import { parseState } from "../lib/state/document.ts";

type Work = (text: string) => unknown;

/** Characters of a text; of what YAML is read of fewer, as each takes its parser microseconds. */
const LENGTH = 100_000;
/** What takes the square of it takes many times as long. */
const MOST_MS = 1_500;
const YAML_LENGTH = 4_000;
const YAML = ["a configuration", "a registration", "a kubeconfig", "manifests"];

const STATUS = (message: string): Buffer =>
  Buffer.from(
    JSON.stringify({ kind: "Status", message, reason: message, details: { name: message } }),
  );
const CONNECTION = { title: "prod" } as never;
const denied = (text: string) => ({ status: 403, contentType: "json", body: STATUS(text) });
const ACTION = { verb: "create", resource: "secrets", namespace: "shop" };
const item = (text: string) => ({
  metadata: { name: text, namespace: text, labels: { [text]: text } },
  type: text,
});

const FUNCTIONS: Readonly<Record<string, Work>> = {
  "the denial of a write": (text) => writeError(CONNECTION, ACTION, denied(text)),
  "a denial that begins as one": (text) =>
    writeError(CONNECTION, ACTION, denied(`admission webhook "${text}`)),
  "a page of metadata": (text) =>
    parseMetadataPage({ kind: "PartialObjectMetadataList", items: [item(text)] }),
  "a page of Secrets": (text) => parseSecretPage({ kind: "SecretList", items: [item(text)] }),
  "a backup": parseDocument,
  "a segment of a store": (text) => decodeSegment(encodeSegment(text)),
  "a backup's key": (text) => parseCopyKey(text),
  "a recipient": parseRecipient,
  "a URI's host": parseUriHost,
  "an address": parseIp,
  "a mailbox": parseMailbox,
  "a domain": (text) => isDomain(text, true),
  "a host name": isHostName,
  "a certificate's name": (text) => matchesHostname({ dnsNames: [text], ips: [] } as never, text),
  PEM: (text) => parsePemBlocks(Buffer.from(text)),
  "an instant": parseMsOrNull,
  "an event's cluster": (text) => parseAuditEvent({ clusters: [text] }),
  "an event's message": (text) =>
    parseAuditEvent({
      Records: [{ messageId: "1", body: JSON.stringify({ format: 1, cluster: text }) }],
    }),
  "an event of a restore": (text) => parseRestoreEvent({ cluster: text, names: [text], [text]: 1 }),
  "a selector": isSelector,
  "a store": (text) => [BACKUP_STORE.test(text), STATE_STORE.test(text)],
  "a configuration": (text) => parseConfig(text, "certkeep.yaml"),
  "a configuration's cluster": (text) =>
    parseConfig(`clusters: [{name: ${JSON.stringify(text)}}]`, "certkeep.yaml"),
  "a kubeconfig": (text) => parseKubeconfig(text, "config"),
  "a registration": (text) => parseRegistration(text, "prod.yaml"),
  "a value in a message": (text) => [isSecretive(text), shown(text)],
  "a context's name": clusterNameFor,
  "a word that is meant": (text) => meant(text, ["recipients", "clusters"]),
  "names of pods": patternOf,
  "a quotation": (text) => shortened(text, 300),
  "an error": (text) => new CertkeepError("usage", { where: text, found: text }),
  "a command": (text) => commandLine(literal("certkeep explain"), text),
  "a pattern": (text) => [
    matchesPattern("*a*b*c*", text),
    matchesPattern(`*${text.slice(0, 250)}*`, text),
  ],
  "the escapes": (text) => [plain(text), plainOutput(text), plainJson(JSON.stringify(text))],
  "a log": (text) => readLog(text, "shop/pod/c", 0),
  "a log in JSON": (text) => readLog(JSON.stringify({ msg: text, error: text }), "shop/pod/c", 0),
  "a line": (text) => [redact(text), sampleOf(text), parseRefusal(text), understand(text)],
  "a failure of Tailscale": (text) => understand(`cert("a.ts.net"): getCertPEM: ${text}`),
  "a refusal": (text) =>
    parseRefusal(`too many certificates already issued for exact set of domains: ${text}`),
  "a set of names": (text) => [setOf([text]), registeredDomain(text)],
  "a page's text": html,
  "a digest's text": (text) => slackText([{ name: text }, { said: text }, { strong: text }]),
  "a sentence": (text) => [calm(text), middle(text, 90)],
  "a terminal's line": (text) => [cut(text, 80), pad(text, 80), wrap(text, 80)],
  manifests: parseSecrets,
  "a state": parseState,
};

const PIECES = [
  ..."a0A .-_/\\{[(<\"'`:,;=@*|&%!#\n\t\u001b\u0000\u200b\u0301\u00e9\u{1f511}",
  "{}",
  "[]",
  "()",
  "a.",
  "a-",
  "- ",
  ": ",
  "a: ",
  "? ",
  "&a ",
  "*a ",
  "{a: ",
  "!!",
  "%41",
  "\\n",
  '\\"',
  "=2e",
  "0.",
  "1:",
  "://",
  "@a",
  "://a@",
  "*.",
  "..",
  "xn--",
  "token=",
  'token":"',
  "Bearer ",
  "eyJ",
  "tskey-",
  "lookup ",
  "too many ",
  "retry after ",
  "certificates already issued for ",
  "-----BEGIN ",
  "-----BEGIN CERTIFICATE-----\n",
  "-----END CERTIFICATE-----\n",
  "---\n",
  "2026-11-23T14:34:50Z ",
  "denied the request ",
  "error getting ",
  "failed to write x secret ",
  "<!date^1^",
  "<https:a|",
  "AGE-SECRET-KEY-",
  "age1",
  "file:",
  "s3://a/",
  "aA1",
  "k=v,",
  "k in (a,",
  "[31m",
  "\u001b[31m",
  "\u001b]",
];

function msOf(work: Work, text: string): number {
  const from = performance.now();
  try {
    work(text);
  } catch (error) {
    // Whatever is refused is refused by an error of certkeep's own.
    if (!isCertkeepError(error)) throw error;
  }
  return performance.now() - from;
}

/** The least of three, as others use the machine too; what is quick at once isn't asked again. */
function isSlow(work: Work, text: string, mostMs: number): boolean {
  return [0, 1, 2].every(() => msOf(work, text) > mostMs);
}

const of = (piece: string, length: number): string =>
  piece.repeat(Math.ceil(length / piece.length));

describe("hostile text", () => {
  it.each(Object.entries(FUNCTIONS))("%s takes time in proportion", (name, work) => {
    const length = YAML.includes(name) ? YAML_LENGTH : LENGTH;
    // A fifth of it first: with all of it a power would not end.
    const slow = PIECES.filter(
      (piece) =>
        isSlow(work, of(piece, length / 5), MOST_MS / 5) ||
        isSlow(work, of(piece, length), MOST_MS),
    );
    expect(slow).toEqual([]);
  });

  it.each(PIECES)("a megabyte of YAML of %j is refused before it is composed", (piece) => {
    const text = of(piece, 1_000_000);
    const signs = text.match(/[[\]{}"'&*?!|>:\-#\n]/g)?.length ?? 0;
    if (signs < 200_000) return;
    const result = parseConfig(text, "certkeep.yaml");
    expect(result.ok).toBe(false);
    if (!result.ok)
      expect(result.problems.map(({ found }) => found).join()).toMatch(
        /^the file has (more than|nesting of)/,
      );
  });
});
