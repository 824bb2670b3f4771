/** Where registrations and their credentials are kept. Contract: test/adapters/file/registrations.test.ts. */
import type { Bearer } from "../access/table.ts";

export interface RegistrationFiles {
  /** For people. */
  readonly folder: string;
  /** Text of a registration; `null` where there is none. */
  read(name: string): Promise<string | null>;
  /** Writes a credential under a new name, readable by this user alone. @returns what the registration calls it */
  writeCredential(name: string, bearer: Bearer, kubeconfig: string): Promise<string>;
  /** Puts `after` in the place of exactly `before` (`null`: of none); `changed` where something else is there by now. */
  write(name: string, before: string | null, after: string): Promise<"written" | "changed">;
  /** Removes the registration, then its credentials. */
  remove(name: string): Promise<void>;
  /** Credentials that lie there for this name, as `writeCredential` called them. */
  credentials(name: string): Promise<readonly string[]>;
  /** Removes one credential; one that is gone is no error. */
  dropCredential(file: string): Promise<void>;
}
