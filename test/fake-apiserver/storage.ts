/**
 * The objects of the fake API server with their versions: what etcd is to a cluster. Every write
 * makes a new revision of the whole; listings over several pages see the revision at which they
 * began, until that is forgotten.
 */
import { type Resource, type StoredObject, apiVersionOf } from "./objects.ts";

export interface ChangeEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly revision: number;
  readonly resource: Resource;
  readonly object: StoredObject;
  /** What stood there before. */
  readonly old: StoredObject | null;
}

/** Objects by their key (`namespace/name`, or the name alone), in order of the key. */
export type Snapshot = readonly (readonly [key: string, object: StoredObject])[];

const keptEvents = 5000;
const keptSnapshots = 64;

const storageKey = (namespace: string | null, name: string): string =>
  namespace === null ? name : `${namespace}/${name}`;

export class Storage {
  #revision = 1;
  #oldestEvent = 1;
  #events: ChangeEvent[] = [];
  readonly #objects = new Map<string, Map<string, StoredObject>>();
  readonly #sorted = new Map<string, Snapshot>();
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #listeners = new Set<(event: ChangeEvent) => void>();

  get revision(): number {
    return this.#revision;
  }

  /** Watches can begin after this revision, or later. */
  get oldestRevision(): number {
    return this.#oldestEvent;
  }

  get(resource: Resource, namespace: string | null, name: string): StoredObject | null {
    return this.#of(resource).get(storageKey(namespace, name)) ?? null;
  }

  all(resource: Resource): Snapshot {
    const id = this.#id(resource);
    let sorted = this.#sorted.get(id);
    if (sorted === undefined) {
      sorted = [...this.#of(resource)].toSorted(([a], [b]) => (a < b ? -1 : 1));
      this.#sorted.set(id, sorted);
    }
    return sorted;
  }

  /** Keeps what is there now for the later pages of a listing. */
  keep(resource: Resource): void {
    const id = `${this.#id(resource)}@${this.#revision}`;
    if (this.#snapshots.has(id)) return;
    this.#snapshots.set(id, this.all(resource));
    for (const oldest of this.#snapshots.keys()) {
      if (this.#snapshots.size <= keptSnapshots) break;
      this.#snapshots.delete(oldest);
    }
  }

  /** What was there at a revision, or null where that is forgotten. */
  at(resource: Resource, revision: number): Snapshot | null {
    if (revision === this.#revision) return this.all(resource);
    return this.#snapshots.get(`${this.#id(resource)}@${revision}`) ?? null;
  }

  /** Forgets every earlier revision, as a compaction does. */
  forget(): void {
    this.#snapshots.clear();
    // Even a listing that nothing was written after is to be too old now.
    this.#revision += 1;
    this.#events = [];
    this.#oldestEvent = this.#revision;
  }

  put(resource: Resource, object: StoredObject): StoredObject {
    const key = storageKey(object.metadata.namespace ?? null, object.metadata.name);
    const old = this.#of(resource).get(key) ?? null;
    this.#revision += 1;
    const stored = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#revision) },
    };
    this.#of(resource).set(key, stored);
    this.#emit({
      type: old === null ? "ADDED" : "MODIFIED",
      revision: this.#revision,
      resource,
      object: stored,
      old,
    });
    return stored;
  }

  remove(resource: Resource, object: StoredObject): void {
    const key = storageKey(object.metadata.namespace ?? null, object.metadata.name);
    const old = this.#of(resource).get(key);
    if (old === undefined) return;
    this.#of(resource).delete(key);
    this.#revision += 1;
    const last = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#revision) },
    };
    this.#emit({ type: "DELETED", revision: this.#revision, resource, object: last, old });
  }

  /** Events after a revision, oldest first. */
  eventsAfter(revision: number): readonly ChangeEvent[] {
    return this.#events.filter((event) => event.revision > revision);
  }

  /** @returns a function that ends it */
  listen(listener: (event: ChangeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #id(resource: Resource): string {
    return `${apiVersionOf(resource)}/${resource.plural}`;
  }

  #of(resource: Resource): Map<string, StoredObject> {
    const id = this.#id(resource);
    let objects = this.#objects.get(id);
    if (objects === undefined) this.#objects.set(id, (objects = new Map()));
    return objects;
  }

  #emit(event: ChangeEvent): void {
    this.#sorted.delete(this.#id(event.resource));
    this.#events.push(event);
    if (this.#events.length > keptEvents * 2) {
      this.#events = this.#events.slice(-keptEvents);
      this.#oldestEvent = (this.#events[0]?.revision ?? this.#revision) - 1;
    }
    for (const listener of this.#listeners) listener(event);
  }
}
