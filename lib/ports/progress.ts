/** Where a use case says how far it is. Shown on a terminal only; never a name's value or a key. */
export interface Progress {
  /** `total` is `null` while it isn't known. */
  step(what: string, done: number, total: number | null): void;
  /** One line of a message for the person, on standard error. */
  note(message: string): void;
}
