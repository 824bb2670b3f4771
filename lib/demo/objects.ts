/** The objects and logs of the demo's cluster, in memory by their path. */
import { randomUUID } from "node:crypto";

type Texts = Readonly<Record<string, string>>;

export interface DemoMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly creationTimestamp?: string;
  readonly labels?: Texts;
  readonly annotations?: Texts;
}

/** An object as it is put there: uid and version are made up. */
export interface DemoObject {
  readonly apiVersion: string;
  readonly kind: keyof typeof plurals;
  readonly metadata: DemoMetadata;
  readonly type?: string;
  readonly data?: Texts;
  readonly spec?: object;
  readonly status?: object;
}

export type Stored = DemoObject & {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string };
};

const plurals = {
  Namespace: "namespaces",
  Secret: "secrets",
  Ingress: "ingresses",
  ProxyGroup: "proxygroups",
  Pod: "pods",
} as const;

export function pathOf({ apiVersion, kind, metadata }: DemoObject): string {
  const group = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
  const { namespace, name } = metadata;
  const inside = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${group}${inside}/${plurals[kind]}/${name}`;
}

/** `KEY=VALUE` or `KEY in (VALUE,VALUE)`. */
function isSelected({ labels = {} }: DemoMetadata, selector: string): boolean {
  const [, key = "", one, many = ""] = /^([^= ]+)(?:=(.*)| in \((.*)\))$/u.exec(selector) ?? [];
  const values = one === undefined ? many.split(",") : [one];
  return values.includes(labels[key] ?? "");
}

export class Objects {
  readonly #objects = new Map<string, Stored>();
  readonly #watchers = new Set<(type: string, object: Stored) => void>();
  readonly #logs = new Map<string, string[]>();
  #version = 0;

  get(path: string): Stored | null {
    return this.#objects.get(path) ?? null;
  }

  put(object: DemoObject): Stored {
    const path = pathOf(object);
    const old = this.get(path);
    const metadata = {
      creationTimestamp: new Date().toISOString().replace(/\.\d+/u, ""),
      ...object.metadata,
      uid: old?.metadata.uid ?? randomUUID(),
      resourceVersion: String((this.#version += 1)),
    };
    const stored = { ...object, metadata };
    this.#objects.set(path, stored);
    this.#tell(old === null ? "ADDED" : "MODIFIED", stored);
    return stored;
  }

  remove(path: string): void {
    const old = this.get(path);
    if (old === null) return;
    this.#objects.delete(path);
    this.#tell("DELETED", old);
  }

  addLog(path: string, lines: readonly (readonly [number, string])[]): void {
    const added = lines.map(([ms, text]) => `${new Date(ms).toISOString()} ${text}`);
    this.#logs.set(path, [...(this.#logs.get(path) ?? []), ...added]);
  }

  /** The log from an instant on; `null` where there is none. */
  log(path: string, sinceMs: number): string | null {
    const lines = this.#logs.get(path);
    if (lines === undefined) return null;
    const from = lines.filter((line) => Date.parse(line.split(" ", 1)[0] ?? "") >= sinceMs);
    return from.map((line) => `${line}\n`).join("");
  }

  pods(namespace: string | undefined, selector: string): readonly Stored[] {
    return [...this.#objects.values()].filter(
      ({ kind, metadata }) =>
        kind === "Pod" && metadata.namespace === namespace && isSelected(metadata, selector),
    );
  }

  secrets(namespace: string | undefined, type: string | null): readonly Stored[] {
    return [...this.#objects]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, each]) =>
        each.kind === "Secret" &&
        (namespace === undefined || each.metadata.namespace === namespace) &&
        (type === null || each.type === type)
          ? [each]
          : [],
      );
  }

  /** Calls `listener` at each change. @returns what ends that */
  watch(listener: (type: string, object: Stored) => void): () => void {
    this.#watchers.add(listener);
    return () => void this.#watchers.delete(listener);
  }

  #tell(type: string, object: Stored): void {
    for (const watcher of this.#watchers) watcher(type, object);
  }
}
