/**
 * Finds the programs that end-to-end tests need, and says in one line what is missing and how to
 * get it.
 *
 * On a contributor's machine a suite whose programs are missing is left out (`describe.skipIf`);
 * with CI=true or E2E_REQUIRED=1 it fails, so that a missing program never looks like a passing
 * suite. Nothing is installed or built from here.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const buildScript = join(import.meta.dirname, "../kube/build.sh");
const pebbleScript = join(import.meta.dirname, "../pebble/build.sh");

const hints = {
  "kube-apiserver": "run test/e2e/kube/build.sh (needs Go), or set KUBEBUILDER_ASSETS",
  kubectl: "run test/e2e/kube/build.sh (needs Go), or set KUBEBUILDER_ASSETS",
  etcd: "apt-get install etcd-server, or set KUBEBUILDER_ASSETS",
  pebble: "run test/e2e/pebble/build.sh (needs Go)",
  age: "apt-get install age",
  jq: "apt-get install jq",
  chromium: "apt-get install chromium",
  openssl: "apt-get install openssl",
  go: "install Go 1.24 or later",
  aws: "pip install awscli",
  ministack: "pip install ministack==1.5.33",
  moto_server: "pip install 'moto[server]==5.2.5'",
  python3: "apt-get install python3",
} as const;

/** A program that a test can ask for. */
export type Tool = keyof typeof hints;

function executable(path: string): string | null {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return null;
  }
}

function onPath(name: string): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const found = folder === "" ? null : executable(join(folder, name));
    if (found !== null) return found;
  }
  return null;
}

const builtFolders = new Map<string, string | null>();

function built(script: string): string | null {
  const known = builtFolders.get(script);
  if (known !== undefined) return known;
  let folder: string | null = null;
  try {
    folder = execFileSync(script, ["--if-cached"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    // Not built: the caller says so.
  }
  builtFolders.set(script, folder);
  return folder;
}

/** The path of a program, or null where this machine lacks it. */
export function findTool(name: Tool): string | null {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  if (name === "etcd" && assets !== undefined) {
    const found = executable(join(assets, name));
    if (found !== null) return found;
  }
  if (name === "kube-apiserver" || name === "kubectl") {
    const folder = built(buildScript);
    return folder === null ? null : executable(join(folder, name));
  }
  if (name === "pebble") {
    const folder = built(pebbleScript);
    return folder === null ? null : executable(join(folder, name));
  }
  return onPath(name);
}

/** The path of a program. @throws one line that says how to get it. */
export function requireTool(name: Tool): string {
  const path = findTool(name);
  if (path === null) throw new Error(`${name} is missing: ${hints[name]}`);
  return path;
}

/**
 * Whether a suite has to be left out for lack of programs:
 * `describe.skipIf(lacksTools("etcd"))(…)`. Says on standard error what is missing. @throws instead
 * where every suite has to run.
 */
export function lacksTools(...names: readonly Tool[]): boolean {
  const missing = names.filter((name) => findTool(name) === null);
  if (missing.length === 0) return false;
  const line = missing.map((name) => `${name} is missing: ${hints[name]}`).join("; ");
  if (process.env["CI"] === "true" || process.env["E2E_REQUIRED"] === "1") throw new Error(line);
  process.stderr.write(`left out: ${line}\n`);
  return true;
}
