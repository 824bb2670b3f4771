/**
 * Keys of copies in a store: `<cluster>/<namespace>/<secret>/<version>.json`.
 *
 * A segment holds only `[a-z0-9._-]` and escapes `=xx` (one UTF-8 byte, lower-case hexadecimal).
 * Upper-case letters are escaped as well, so that no two keys differ by case alone (file systems of
 * macOS and Windows would take them for one), and so is a dot at the start. Reversible: every text
 * has one segment.
 */

const PLAIN = /^[a-z0-9._-]$/;
const VERSION = /^[0-9a-f]{64}$/;

export interface CopyPlace {
  readonly cluster: string;
  readonly namespace: string;
  readonly secret: string;
}

/** One segment of a key for any text; the empty text becomes `=`. */
export function encodeSegment(text: string): string {
  if (text === "") return "=";
  let segment = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const char = String.fromCharCode(byte);
    const plain = PLAIN.test(char) && !(segment === "" && char === ".");
    segment += plain ? char : `=${byte.toString(16).padStart(2, "0")}`;
  }
  return segment;
}

/** The text of a segment; `null` where `encodeSegment` makes no such segment. */
export function decodeSegment(segment: string): string | null {
  if (segment === "=") return "";
  if (!/^(?:[a-z0-9._-]|=[0-9a-f]{2})+$/.test(segment)) return null;
  const bytes: number[] = [];
  for (let at = 0; at < segment.length; at += 1) {
    if (segment[at] === "=") {
      bytes.push(Number.parseInt(segment.slice(at + 1, at + 3), 16));
      at += 2;
    } else {
      bytes.push(segment.charCodeAt(at));
    }
  }
  const text = Buffer.from(bytes).toString("utf8");
  return encodeSegment(text) === segment ? text : null;
}

/** What the keys of all copies of a cluster begin with. */
export function clusterPrefix(cluster: string): string {
  return `${encodeSegment(cluster)}/`;
}

/** What the keys of all copies of a Secret begin with. */
function secretPrefix(place: CopyPlace): string {
  const { cluster, namespace, secret } = place;
  return `${clusterPrefix(cluster)}${encodeSegment(namespace)}/${encodeSegment(secret)}/`;
}

/** `version` as `versionOf` makes it. */
export function copyKey(place: CopyPlace, version: string): string {
  return `${secretPrefix(place)}${version}.json`;
}

/** The parts of a key; `null` for a key of something else. */
export function parseCopyKey(key: string): (CopyPlace & { readonly version: string }) | null {
  const parts = key.split("/");
  const [first, second, third, file] = parts;
  if (
    parts.length !== 4 ||
    first === undefined ||
    second === undefined ||
    third === undefined ||
    file === undefined
  )
    return null;
  if (!file.endsWith(".json")) return null;
  const version = file.slice(0, -".json".length);
  const cluster = decodeSegment(first);
  const namespace = decodeSegment(second);
  const secret = decodeSegment(third);
  if (cluster === null || namespace === null || secret === null || !VERSION.test(version))
    return null;
  return { cluster, namespace, secret, version };
}
