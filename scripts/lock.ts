/**
 * Completes package-lock.json with the optional platform packages that npm left out of it.
 *
 * npm leaves an optional dependency out of the lock where the registry at hand doesn't carry it,
 * and then `npm ci` refuses the lock as incomplete, on every platform. The entries need no more
 * than the version, which their parent pins, and the platform, which their name tells; npm checks
 * and fills in the rest where it installs one. Run after `npm install`: `npm exec -- node
 * scripts/lock.ts`. Changes nothing else.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface Entry {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly engines?: unknown;
}

interface Lock {
  packages: Record<string, Entry>;
}

const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const processors = ["arm64", "arm", "ia32", "ppc64", "riscv64", "s390x", "x64"];

/**
 * The entry of a platform package by its name's end, such as `linux-x64-musl`; null if that tells
 * no platform.
 */
function platformEntry(name: string, version: string, engines: unknown): Entry | null {
  const words = name.slice(name.indexOf("/") + 1).split("-");
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  if (os === undefined || cpu === undefined) return null;
  const libc = words.includes("musl") ? ["musl"] : words.includes("gnu") ? ["glibc"] : null;
  return {
    version,
    cpu: [cpu],
    dev: true,
    ...(libc === null ? {} : { libc }),
    license: "MIT",
    optional: true,
    os: [os],
    ...(engines === undefined ? {} : { engines }),
  } as Entry;
}

const path = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8")) as Lock;
const added: string[] = [];
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] !== undefined || !/^\d/.test(version)) continue;
    const entry = platformEntry(name, version, parent.engines);
    if (entry === null) continue;
    lock.packages[key] = entry;
    added.push(name);
  }
}
const order = (a: string, b: string): number => a.localeCompare(b, "en");
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).toSorted(([a], [b]) => order(a, b)),
);
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
process.stderr.write(`${added.length} platform packages added\n`);
