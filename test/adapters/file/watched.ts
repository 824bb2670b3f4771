/**
 * The file system with a hand on every call, so that a test can fail it, cut it in half, or end the
 * process there.
 */
import type { FileHandle } from "node:fs/promises";
import { type FileSystem, NODE_FILE_SYSTEM } from "../../../lib/adapters/file/system.ts";

export interface WatchedCall {
  /** `open`, `link`, `handle.writeFile`, … */
  readonly name: string;
  /** From 1, over all calls. */
  readonly nth: number;
  readonly args: readonly unknown[];
  readonly effect: () => Promise<unknown>;
  /** Half of the effect, where it can be had: only a write can. */
  readonly half: (() => Promise<unknown>) | null;
}

export type Around = (call: WatchedCall) => Promise<unknown>;

export function watchFileSystem(around: Around): FileSystem {
  let nth = 0;
  const watch = <T extends object>(
    target: T,
    prefix: string,
    wrapResult: (result: unknown) => unknown,
  ): T =>
    new Proxy(target, {
      get(from, property) {
        const member: unknown = Reflect.get(from, property);
        if (typeof member !== "function" || typeof property !== "string") return member;
        return async (...args: unknown[]) => {
          nth += 1;
          const name = `${prefix}${property}`;
          const effect = (): Promise<unknown> => Promise.resolve(Reflect.apply(member, from, args));
          const bytes = args[0];
          const half =
            name === "handle.writeFile" && bytes instanceof Uint8Array
              ? () =>
                  Promise.resolve(
                    Reflect.apply(member, from, [bytes.subarray(0, bytes.byteLength >> 1)]),
                  )
              : null;
          return wrapResult(await around({ name, nth, args, effect, half }));
        };
      },
    });
  const isHandle = (result: unknown): result is FileHandle =>
    typeof result === "object" && result !== null && "sync" in result;
  return watch(NODE_FILE_SYSTEM, "", (result) =>
    isHandle(result) ? watch(result, "handle.", (inner) => inner) : result,
  );
}

/**
 * Every call before `nth` works; then all is over: the n-th has no effect or half of one, and none
 * after it has any.
 */
export function dyingFileSystem(nth: number, half: boolean): FileSystem {
  return watchFileSystem(async (call) => {
    if (call.nth < nth) return call.effect();
    if (call.nth === nth && half) await call.half?.();
    // The system closes the files of the dead.
    if (call.name === "handle.close") await call.effect();
    throw new Error("the process is dead");
  });
}

/** The n-th call fails with the system's error `code`, without effect; all others work. */
export function failingFileSystem(nth: number, code: string): FileSystem {
  return watchFileSystem(async (call) => {
    if (call.nth !== nth) return call.effect();
    // A close that fails has closed all the same (close(2)).
    if (call.name === "handle.close") await call.effect();
    throw Object.assign(new Error(`${code}: injected`), { code });
  });
}

/** Counts the calls that `body` makes, by name. */
export async function callsOf(
  body: (fileSystem: FileSystem) => Promise<unknown>,
): Promise<readonly string[]> {
  const names: string[] = [];
  await body(
    watchFileSystem((call) => {
      names.push(call.name);
      return call.effect();
    }),
  );
  return names;
}
