/** A state store of which many states are read and forgotten: after each, memory is kept small. */
import { createThrift } from "../adapters/garbage.ts";
import type { StateStore } from "../ports/stores.ts";

export function thrifty(states: StateStore): StateStore {
  const save = createThrift();
  return {
    url: states.url,
    names: () => states.names(),
    write: (name, text, revision) => states.write(name, text, revision),
    read: async (name) => {
      save();
      return states.read(name);
    },
  };
}
