/**
 * What comes back with thousands of certificates, such as their issuer, is worked out once: the
 * last few answers by key. It changes none.
 */

/** Real intermediates have under 2,000 octets, and a hostile one isn't worth the memory. */
const LONGEST_KEY = 8_192;

/** `most`: answers that are kept; the oldest goes first. */
export function createCache<T>(most: number): (key: string, make: () => T) => T {
  const known = new Map<string, T>();
  return (key, make) => {
    let value = known.get(key);
    if (value !== undefined) return value;
    value = make();
    if (key.length > LONGEST_KEY) return value;
    if (known.size >= most) known.delete(known.keys().next().value as string);
    known.set(key, value);
    return value;
  };
}
