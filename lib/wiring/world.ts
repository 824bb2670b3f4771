/** What a command or a function has of the world around it, and how it was asked. */
import type { Readable } from "node:stream";
import type { AskPassphrase } from "../adapters/age/identity.ts";
import type { AskProvider } from "../adapters/kubernetes/identityprovider.ts";
import { createSealer } from "../adapters/age/sealer.ts";
import { realTimer } from "../adapters/timer.ts";
import type { Config } from "../config/schema.ts";
import { settingsFor } from "../config/settings.ts";
import type { Via } from "../finding/action.ts";
import type { Progress } from "../ports/runtime.ts";
import { kitOf } from "./kit.ts";
import type { ComposedSettings, World } from "./settings.ts";

export interface ContextRef {
  readonly context: string | null;
  readonly kubeconfig: string | null;
}

export interface RunWorld extends World {
  readonly nowMs: () => number;
  /** An instant to judge at; nothing is written, removed or posted then. */
  readonly atMs: number | null;
  /** `null`: clusters are named, or none is. */
  readonly contextRef: ContextRef | null;
  /**
   * `--identity`: a path, `-`, `file:PATH`, `env:NAME` or `secretsmanager://NAME`; `null`: as
   * configured.
   */
  readonly identity: string | null;
  readonly stdin: Readable;
  readonly askPassphrase: AskPassphrase | null;
  /** Absent in functions, which are never given a person's kubeconfig. */
  readonly askProvider?: AskProvider;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** When `signal` will be aborted, ms since 1970. */
  readonly deadlineMs?: number;
}

/** What every use case that looks into backups or judges is given. */
export function portsOf({ config, stores }: ComposedSettings, world: RunWorld) {
  return {
    ...stores,
    sealer: createSealer(),
    clock: { nowMs: () => world.atMs ?? world.nowMs() },
    kit: kitOf(config),
    progress: world.progress,
    recipientsFor: (cluster: string) => settingsFor(config, cluster).recipients,
    timer: realTimer,
    ...(world.signal === undefined ? {} : { signal: world.signal }),
  };
}

/** The configuration that offered commands name: as it was named, or where it's published. */
export function viaOfConfig(
  { configWord = null, deployed, env }: Pick<World, "configWord" | "deployed" | "env">,
  { stores }: Config,
): Via | null {
  const config = deployed === true ? publishedAt(env, stores.state) : configWord;
  return config === null ? null : { context: null, kubeconfig: null, config };
}

/** The context and the configuration that a person named; `null`: neither. */
export function viaOfWorld({
  contextRef,
  configWord = null,
}: Pick<RunWorld, "contextRef" | "configWord">): Via | null {
  if (contextRef === null && configWord === null) return null;
  const { context = null, kubeconfig = null } = contextRef ?? {};
  return { context, kubeconfig, config: configWord };
}

/** Beside the states, where dispatch publishes it. */
export function publishedAt(env: World["env"], state: string | null): string | null {
  const bucket = /^s3:\/\/([^/]+)/.exec(state ?? "")?.[1];
  return env["CERTKEEP_PUBLISH"] || (bucket === undefined ? null : `s3://${bucket}/certkeep.yaml`);
}
