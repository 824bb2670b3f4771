/**
 * What a function tells of its steps, a line each, for whoever looks at its log.
 *
 * Contract: a line is written whole. Names, numbers and certkeep's own messages only: nothing of a Secret, a credential
 * or a foreign error gets in.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface Log {
  info(step: string, fields?: LogFields): void;
  /** Something that a person may want to know. */
  warn(step: string, fields?: LogFields): void;
  /** Something that could not be done. */
  error(step: string, fields?: LogFields): void;
}
