/** What differs in a cluster that isn't the pinned one, and what to do about it. Pure. */
import type { ErrorParts } from "../error.ts";
import { pinAction, restoreAction } from "../finding/action.ts";
import type { Refusal } from "../restoreplan/successor.ts";
import type { Mismatch, NotPinned, ShownIdentity } from "../state/identity.ts";
import { commandOf, restoreCommand, commandLine, literal } from "./command.ts";

export interface Named {
  /** Name of the cluster, or the context that it was reached by. */
  readonly called: string;
  readonly registered: boolean;
}

export function pinCommand({ called, registered }: Named, kind: Mismatch): string {
  const command = commandOf(pinAction(called, registered, kind));
  return command ?? "certkeep restore CONTEXT --rebuilt --all --apply";
}

/** What differs. */
export function mismatchText({ kind, pinned, seen }: NotPinned): string {
  const uid = (one: ShownIdentity): string => `kube-system uid ${one.uid ?? "unknown"}`;
  const ca = ({ caSha256, host }: ShownIdentity): string =>
    caSha256 === null
      ? `any public authority, for ${host ?? "an unknown name"}`
      : `CA ${caSha256.slice(0, 16)}`;
  switch (kind) {
    case "another":
      return (
        `another cluster answers (${uid(seen)}, ${ca(seen)}), not the recorded one ` +
        `(${uid(pinned)}, ${ca(pinned)})`
      );
    case "ca":
      return (
        `the server has the recorded uid under another CA (${ca(seen)}), not the pinned one ` +
        `(${ca(pinned)})`
      );
    case "uid":
      return (
        "the uid of kube-system can't be read (this needs: get namespaces kube-system), so the " +
        `pinned uid ${pinned.uid ?? ""} isn't confirmed`
      );
    case "address":
      return (
        `the server answers as ${seen.host ?? "an unknown name"}, not as ` +
        `${pinned.host ?? "the recorded name"}, and no ` +
        `${pinned.uid === null ? "uid of kube-system" : "CA"} is pinned`
      );
  }
}

const GRANT = "Grant this credential get on the namespace kube-system";
const CORRECT = "Correct the context or the registration";

export function notRestoredParts(named: Named, differs: NotPinned): ErrorParts {
  const { kind } = differs;
  return {
    where: `cluster ${named.called}`,
    found: mismatchText(differs),
    todo:
      `Nothing was restored. ${kind === "uid" ? GRANT : CORRECT}, or, if ` +
      `${REASONS[kind]}: ${pinCommand(named, kind)}`,
  };
}

/** The parts of an audit's error, for a context that no cluster is registered by. */
export function notAuditedParts(context: string, differs: NotPinned): ErrorParts {
  const { kind } = differs;
  const register =
    commandLine(literal("certkeep clusters add NAME --context"), context) ??
    "certkeep clusters add NAME --context CONTEXT";
  return {
    where: `cluster ${context}`,
    found: mismatchText(differs),
    todo:
      "Nothing was recorded, and nothing recorded is shown. " +
      (kind === "uid" ? GRANT : `${CORRECT}, or, if ${REASONS[kind]}: ${register}`),
  };
}

const REASONS: Readonly<Record<Mismatch, string>> = {
  another: "it was rebuilt",
  ca: "its CA was renewed",
  uid: "it is the same cluster and its uid is to stay unread",
  address: "it moved to this address",
};

export function refusalParts(cluster: string, refusal: Refusal): ErrorParts {
  const where = `cluster ${cluster}`;
  const registered = { called: cluster, registered: true };
  const pin = `If it is yours, pin it: ${pinCommand(registered, "address")}`;
  const byHand = (from: string | null): string =>
    restoreCommand(restoreAction(cluster, []), { fromCluster: from }) ?? "certkeep restore";
  switch (refusal.kind) {
    case "no_pair":
      return {
        where,
        found:
          `the deployed certkeep.yaml allows no restore of backups of ${refusal.from} to ` +
          cluster,
        todo:
          `Add { from: ${refusal.from}, to: ${cluster} } to restores: and deploy; or restore ` +
          `from the command line, with your own identity: ${byHand(refusal.from)}`,
      };
    case "not_recorded":
      return {
        where,
        found: "the cluster is registered, but was never recorded",
        todo: pin,
      };
    case "not_pinned":
      return {
        where,
        found: mismatchText(refusal.differs),
        todo:
          "If it is the same cluster, or its successor, pin it: " +
          `${pinCommand(registered, refusal.differs.kind)}`,
      };
    case "no_pin":
      return {
        where,
        found: "an earlier version recorded it and pinned no CA",
        todo: `Its next audit pins it, or: ${pinCommand(registered, "address")}`,
      };
    case "any_authority":
      return {
        where,
        found: "its kubeconfig names no CA, so any public authority can vouch for the server",
        todo:
          "Add certificate-authority-data to its kubeconfig, then register it " +
          `(${pinCommand(registered, "address")}), or restore from the command line: ` +
          byHand(null),
      };
    case "pinned_by_audit":
      return {
        where,
        found:
          `only an audit pinned ${cluster}, and a cluster that gets another's keys needs a ` +
          "person to pin it",
        todo: pin,
      };
  }
}
