/**
 * New tokens of an identity provider, written into the kubeconfig that holds the old ones.
 *
 * The file is locked as kubectl locks it (client-go tools/clientcmd/loader.go, `lockFile`), so that
 * of several programs one alone uses a refresh token, which many providers take only once. What
 * could keep the new tokens from being written is found out before they are asked for. Nothing but
 * the tokens changes in the text.
 */
import { constants } from "node:fs";
import {
  access,
  type FileHandle,
  open,
  realpath,
  rename,
  rm,
  stat,
  unlink,
} from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { Composer, isMap, isScalar, isSeq, type YAMLMap } from "yaml";
import { KUBERNETES_YAML, tokensOf, type TokenLimits } from "../../config/tokens.ts";
import { utf8Of } from "../../encoding.ts";
import { CertkeepError } from "../../error.ts";
import { readFileAtMost } from "../readfile.ts";
import { realTimer } from "../timer.ts";
import { printable } from "./connection.ts";
import { type Fields, fieldsOf } from "../../untrusted.ts";

export const KUBECONFIG_BYTES = 16 * 1024 * 1024;
/** One goes seven deep, and one of a thousand clusters has 100,000 signs as JSON. */
export const KUBECONFIG_LIMITS: TokenLimits = { depth: 32, signs: 500_000 };

/** Called where a kubeconfig was written, with its text before and after. */
export type Rewritten = (file: string, before: string, after: string) => Promise<void>;

/** Settings of an `auth-provider`, as `id-token` and `refresh-token`. */
export type ProviderTokens = Readonly<Record<string, string>>;

/** A refresh takes seconds. */
const LOCK_WAIT_MS = 20_000;
const LOCK_PAUSE_MS = 100;

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "no reason given";
}

function notWritable(file: string, found: string, todo: string): CertkeepError {
  return new CertkeepError("kubeconfig_invalid", { where: printable(file, 300), found, todo });
}

/** @throws {CertkeepError} where another program keeps the lock */
async function lock(file: string, signal: AbortSignal | undefined): Promise<() => Promise<void>> {
  const path = `${file}.lock`;
  for (let waitedMs = 0; ; waitedMs += LOCK_PAUSE_MS) {
    try {
      await (await open(path, "wx", 0o600)).close();
      return () => unlink(path).catch(() => undefined);
    } catch (error) {
      const code = codeOf(error);
      if (code !== "EEXIST")
        throw notWritable(
          file,
          "the user's token expired, and new tokens can't be written: no lock file can be made " +
            `beside it (${code})`,
          "Make the file and its folder writable, or refresh the token with kubectl",
        );
      if (waitedMs >= LOCK_WAIT_MS || signal?.aborted === true)
        throw notWritable(
          file,
          `${printable(path, 300)} exists: another program is changing this kubeconfig, or one ` +
            "was killed while it did",
          "Delete the lock file if no such program runs",
        );
    }
    await realTimer.sleep(LOCK_PAUSE_MS, signal);
  }
}

/** A file beside `target` with its mode and owner, to take its place. */
async function openReplacement(
  target: string,
  current: Uint8Array,
): Promise<{ readonly path: string; readonly handle: FileHandle }> {
  const path = `${target}.${randomBytes(6).toString("hex")}.tmp`;
  const status = await stat(target);
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.chown(status.uid, status.gid).catch(() => undefined);
    await handle.chmod(status.mode & 0o777);
    // The disk has room for it.
    await handle.write(current, 0, current.length, 0);
    return { path, handle };
  } catch (error) {
    await handle.close();
    await rm(path, { force: true });
    throw error;
  }
}

/** Puts `text` in the place of what `target` holds, in one step where the system allows that. */
async function replace(
  target: string,
  { path, handle }: { readonly path: string; readonly handle: FileHandle },
  text: string,
): Promise<void> {
  const bytes = Buffer.from(text, "utf8");
  await handle.truncate(0);
  await handle.write(bytes, 0, bytes.length, 0);
  await handle.sync();
  try {
    await rename(path, target);
  } catch (error) {
    // A file that is mounted by itself can't be replaced: kubectl writes over it.
    if (codeOf(error) !== "EBUSY" && codeOf(error) !== "EXDEV") throw error;
    const mounted = await open(target, "r+");
    try {
      await mounted.truncate(0);
      await mounted.write(bytes, 0, bytes.length, 0);
      await mounted.sync();
    } finally {
      await mounted.close();
    }
  }
}

interface UpdateOptions {
  readonly signal: AbortSignal | undefined;
  readonly rewritten: Rewritten | undefined;
}

/**
 * Has `refresh` give new tokens for a user of the kubeconfig, and writes them, before they are
 * returned. `refresh` is given the user's settings as they are by now; without `write`, the tokens
 * that stand there are used as they are.
 * @throws {CertkeepError} before `refresh` runs, where the file can't be written
 */
export async function updateTokens<T extends { readonly write: ProviderTokens | null }>(
  file: string,
  user: string,
  refresh: (config: Fields) => Promise<T>,
  { signal, rewritten }: UpdateOptions,
): Promise<T> {
  const unlock = await lock(file, signal);
  try {
    const target = await realpath(file);
    await access(target, constants.W_OK);
    const bytes = await readFileAtMost(target, KUBECONFIG_BYTES);
    const text = Buffer.from(utf8Of(bytes)).toString("utf8");
    if (withTokens(text, user, { "id-token": "x", "refresh-token": "x" }) === null)
      throw notWritable(
        file,
        "the user's token expired, and a new one can't be written here (the user is missing, or " +
          "its `auth-provider` is a YAML alias)",
        "Log in again with kubectl",
      );
    const replacement = await openReplacement(target, bytes);
    try {
      const result = await refresh(fieldsOf(configOf(text, user)?.toJSON()));
      const changed = result.write === null ? null : withTokens(text, user, result.write);
      if (changed !== null) {
        await replace(target, replacement, changed);
        await rewritten?.(file, text, changed);
      }
      return result;
    } finally {
      await replacement.handle.close();
      await rm(replacement.path, { force: true });
    }
  } catch (error) {
    if (error instanceof CertkeepError) throw error;
    throw notWritable(
      file,
      `the user's token expired, and new tokens can't be written (${codeOf(error)})`,
      "Make the file and its folder writable, or refresh the token with kubectl",
    );
  } finally {
    await unlock();
  }
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** A kubeconfig's text with other settings of an auth-provider; `null` where they have no place. */
function withTokens(text: string, user: string, tokens: ProviderTokens): string | null {
  const config = configOf(text, user);
  if (config === null) return null;
  const edits: Edit[] = [];
  for (const [key, value] of Object.entries(tokens)) {
    const edit = editOf(text, config, key, JSON.stringify(value));
    if (edit === null) return null;
    edits.push(edit);
  }
  let changed = text;
  for (const { from, to, text: added } of edits.toSorted((a, b) => b.from - a.from))
    changed = changed.slice(0, from) + added + changed.slice(to);
  const written = configOf(changed, user);
  return written !== null &&
    Object.entries(tokens).every(([key, value]) => written.get(key) === value)
    ? changed
    : null;
}

function configOf(text: string, user: string): YAMLMap | null {
  const read = tokensOf(text, KUBECONFIG_LIMITS);
  if (!read.ok) return null;
  const composer = new Composer({ ...KUBERNETES_YAML, uniqueKeys: false });
  const [document] = composer.compose(read.tokens, true, text.length);
  const users = document?.get("users", true);
  if (!isSeq(users)) return null;
  const entry = users.items.find((item) => isMap(item) && item.get("name") === user);
  const config = isMap(entry) ? entry.getIn(["user", "auth-provider", "config"], true) : null;
  return isMap(config) ? config : null;
}

function editOf(text: string, config: YAMLMap, key: string, value: string): Edit | null {
  const pair = config.items.find((item) => isScalar(item.key) && item.key.value === key);
  if (pair !== undefined) {
    if (!isScalar(pair.value) || pair.value.range == null) return null;
    const [from, to] = pair.value.range;
    // An empty value stands right after the colon; a block's ends with its line.
    const before = text[from - 1] === ":" ? " " : "";
    const after = text.slice(from, to).endsWith("\n") ? "\n" : "";
    return { from, to, text: `${before}${value}${after}` };
  }
  const [first] = config.items;
  if (config.flow === true) {
    const from = (config.range?.[0] ?? 0) + 1;
    return { from, to: from, text: `"${key}": ${value}${first === undefined ? "" : ", "}` };
  }
  if (!isScalar(first?.key) || first.key.range == null) return null;
  const [from] = first.key.range;
  const indent = text.slice(text.lastIndexOf("\n", from - 1) + 1, from).replace(/\S/g, " ");
  return { from, to: from, text: `${key}: ${value}\n${indent}` };
}
