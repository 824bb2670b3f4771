/** What somebody probably meant. */
import { closest, distance } from "fastest-levenshtein";

/** Words that people bring along from elsewhere. */
const SYNONYMS: Readonly<Record<string, string>> = {
  recipient: "recipients",
  namespace: "namespaces",
  cluster: "clusters",
  issuer: "issuers",
  store: "stores",
  ignored: "ignore",
  exclude: "ignore",
  ctx: "context",
  labels: "selector",
  labelselector: "selector",
  roots: "anchors",
  ca: "anchors",
  cabundle: "anchors",
  expires: "until",
  because: "reason",
  comment: "reason",
};

/** The one of `words` that `word` is a slip of, or null. */
export function meant(word: string, words: readonly string[]): string | null {
  if (words.length === 0 || word.length > 64) return null;
  const bare = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const same = words.find((candidate) => bare(candidate) === bare(word));
  if (same !== undefined) return same;
  const synonym = SYNONYMS[bare(word)];
  if (synonym !== undefined && words.includes(synonym)) return synonym;
  const near = closest(word, words);
  return distance(word, near) <= Math.max(1, Math.floor(near.length / 3)) ? near : null;
}
