/** What a person is told of a cluster that isn't the pinned one, and what to do about it. Pure. */
import type { ErrorParts } from "../error.ts";
import { pinAction } from "../finding/action.ts";
import { mismatchText, type Mismatch, type NotPinned } from "../state/identity.ts";
import { commandOf } from "./command.ts";

export interface Named {
  /** Name of the cluster, or the context that it was reached by. */
  readonly called: string;
  /** Whether `clusters add` registered it. */
  readonly registered: boolean;
}

/** The command that pins what answers now. */
export function pinCommand({ called, registered }: Named, kind: Mismatch): string {
  const command = commandOf(pinAction(called, registered, kind));
  return command ?? "certkeep restore CONTEXT --rebuilt --all --apply";
}

/** The parts of an error; `done` says what wasn't. */
export function notPinnedParts(named: Named, differs: NotPinned, done: string): ErrorParts {
  return {
    where: `cluster ${named.called}`,
    ...mismatchText(differs),
    todo: `${done}. If ${REASONS[differs.kind]}: ${pinCommand(named, differs.kind)}    Otherwise correct the context or the registration`,
  };
}

const REASONS: Readonly<Record<Mismatch, string>> = {
  another: "it was rebuilt",
  ca: "its CA was renewed",
  uid: "it is the same cluster and its uid is to stay unread",
  address: "it moved to this address",
};
