/**
 * What the settings of a configuration are made of: text of a form, lists, settings that may be
 * left out.
 */
import * as z from "zod/mini";
import { isRecipient } from "../backup/recipient.ts";
import { LABEL } from "./form.ts";

/** What an editor shows of a setting. */
export interface Help {
  readonly title?: string;
  readonly description: string;
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
}

export const help = z.registry<Help>();

export function text(expected: string, form: RegExp) {
  return z.string(expected).check(z.regex(form, expected));
}

/** At least one item; each counts once. */
export function list<T extends z.ZodMiniType>(item: T, expected: string) {
  return z.pipe(
    z.array(item, expected).check(z.minLength(1, `${expected} with at least one item`)),
    z.transform((given: z.output<T>[]): readonly z.output<T>[] => [...new Set(given)]),
  );
}

/** May be left out: the value is then `value`. */
export function orElse<T extends z.ZodMiniType, const D>(schema: T, value: D) {
  return z.pipe(
    z.optional(schema),
    z.transform((given): NonNullable<z.output<T>> | D => given ?? value),
  );
}

/** May be left out: the value is then `null`. */
export function orNull<T extends z.ZodMiniType>(schema: T) {
  return orElse(schema, null);
}

/** A section of the file: left out or empty, it is what `{}` would be. */
export function section<T extends z.ZodMiniType>(schema: T) {
  return z.pipe(
    z.optional(z.nullable(schema)),
    z.transform((given): z.output<T> => given ?? z.parse(schema, {})),
  );
}

/** A section that is a list: left out or empty, it has no item. */
export function items<T extends z.ZodMiniType>(item: T, expected: string) {
  return z.pipe(
    z.optional(z.nullable(z.array(item, expected))),
    z.transform((given): readonly z.output<T>[] => given ?? []),
  );
}

export function flag(expected: string, value = false) {
  return orElse(z.boolean(expected), value);
}

const RECIPIENT = "an age recipient: `age1` and 58 letters and digits, as age-keygen prints it";
export const recipient = z
  .string(RECIPIENT)
  .check(
    z.regex(/^age1[02-9ac-hj-np-z]{58}$/, RECIPIENT),
    z.refine(
      isRecipient,
      `${RECIPIENT}. Its checksum doesn't match, so a character is wrong or missing`,
    ),
  );
export const path = text("the path of a file, in one line", /^[^\r\n\0]+$/);
const NAME = "small letters, digits and -, at most 63, beginning and ending with a letter or digit";
export const clusterName = () => text(`a cluster's name: ${NAME}`, LABEL);
export const routeName = () => text(`a name: ${NAME}`, LABEL);

export const HTTPS = "a URL that begins with https://, without a user or a query";
