/**
 * What is wrong with a configuration though each setting alone is right: names used twice,
 * references to nothing, and an entry that would mute everything.
 */

/** A problem within the data, without its place. */
export interface Fault {
  readonly path: readonly PropertyKey[];
  /** The place is the key's, not the value's. */
  readonly atKey: boolean;
  readonly found: string | null;
  readonly expected: string;
  readonly suggestion: string | null;
}

const IGNORE_SELECTORS = ["cluster", "namespace", "name", "code"];
/** Ids of the issuers that are built in. */
const BUILT_IN_ISSUERS = ["letsencrypt", "letsencrypt-staging"];

export function spanning(value: unknown): Fault[] {
  return [
    ...usedTwice(value, ["clusters"], "name"),
    ...usedTwice(value, ["issuers"], "id"),
    ...usedTwice(value, ["digest", "routes"], "name"),
    ...itemsOf(value, "issuers").flatMap(builtIn),
    ...limitFaults(value),
    ...itemsOf(value, "restores").flatMap(sameCluster),
    ...itemsOf(value, "ignore").flatMap(ignoresAll),
  ];
}

function fault(path: Fault["path"], expected: string, found: string | null = null): Fault {
  return { path, atKey: false, found, expected, suggestion: null };
}

function usedTwice(value: unknown, section: readonly string[], key: string): Fault[] {
  const parent = section.slice(0, -1).reduce(memberOf, value);
  const first = new Map<string, number>();
  return itemsOf(parent, section.at(-1) ?? "").flatMap((item, index) => {
    const name = memberOf(item, key);
    if (typeof name !== "string") return [];
    const before = first.get(name);
    if (before === undefined) first.set(name, index);
    const expected = `a ${key} of its own; ${section.join(".")}[${before}] has the same`;
    return before === undefined ? [] : [fault([...section, index, key], expected)];
  });
}

function builtIn(item: unknown, index: number): Fault[] {
  const id = memberOf(item, "id");
  return typeof id === "string" && BUILT_IN_ISSUERS.includes(id)
    ? [fault(["issuers", index, "id"], "another id; this one is built in")]
    : [];
}

function limitFaults(value: unknown): Fault[] {
  const own = itemsOf(value, "issuers").map((item) => memberOf(item, "id"));
  const issuers = [...BUILT_IN_ISSUERS, ...own].filter((id) => typeof id === "string");
  return itemsOf(value, "limits").flatMap((item, index) => {
    if (typeof item !== "object" || item === null) return [];
    const scopes = ["domain", "names"].filter((key) => memberOf(item, key) !== undefined);
    const found =
      scopes.length === 0 ? "a limit that says not what it holds for" : "a limit with both";
    const issuer = memberOf(item, "issuer");
    return [
      ...(scopes.length === 1 ? [] : [fault(["limits", index], "either domain or names", found)]),
      ...(typeof issuer !== "string" || issuers.includes(issuer)
        ? []
        : [fault(["limits", index, "issuer"], `an issuer's id: ${issuers.join(", ")}`)]),
    ];
  });
}

function sameCluster(item: unknown, index: number): Fault[] {
  const from = memberOf(item, "from");
  return typeof from === "string" && from === memberOf(item, "to")
    ? [fault(["restores", index, "to"], "another cluster; a cluster's own copies need no pair")]
    : [];
}

function ignoresAll(item: unknown, index: number): Fault[] {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return [];
  return IGNORE_SELECTORS.some((key) => memberOf(item, key) !== undefined)
    ? []
    : [
        fault(
          ["ignore", index],
          "at least one of cluster, namespace, name and code",
          "an entry that would ignore everything",
        ),
      ];
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function itemsOf(value: unknown, section: string): readonly unknown[] {
  const items = memberOf(value, section);
  return Array.isArray(items) ? items : [];
}
