/** From names to what planning needs: copies chosen and opened, the cluster looked at. */
import pLimit from "p-limit";
import { copyKey, clusterPrefix } from "../../backup/keys.ts";
import { CertkeepError } from "../../error.ts";
import { copyObjections, mayRead } from "../../restoreplan/copyrule.ts";
import {
  bySlot,
  selectCopies,
  withAccountsOf,
  type Choice,
  type Selected,
} from "../../restoreplan/select.ts";
import type { KnownCopy, OpenedCopy, UnusableCopy, Wanted } from "../../restoreplan/view.ts";
import { isShape } from "../../secret/shapes.ts";
import { lastRecord, standingSecrets } from "../../state/secrets.ts";
import { recordedFacts } from "../../state/backups.ts";
import type { StateDocument } from "../../state/document.ts";
import { problemText } from "../../report/phrases/plan.ts";
import { createCopyReader, listCopies, type CopyReader } from "../copies.ts";
import type { RestorePorts, RestoreRequest, RestoreTarget } from "./context.ts";
import { LiveCluster } from "./live.ts";
import { openCopy, type AskRevocation } from "./open.ts";
import type { Source } from "./source.ts";

const OPENS_AT_ONCE = 8;
/** Copies of one certificate that are opened at most to find a good one. */
const TRIES = 6;

/** Copies in the store that the state doesn't know, by their own headers. */
async function unrecordedCopies(
  source: Source,
  ports: RestorePorts,
  backups: CopyReader,
): Promise<{
  readonly found: Record<string, KnownCopy>;
  readonly problems: readonly string[];
}> {
  const found: Record<string, KnownCopy> = {};
  const problems: string[] = [];
  const limit = pLimit(OPENS_AT_ONCE);
  for (const cluster of source.clusters) {
    const listing = await listCopies(ports.backups, clusterPrefix(cluster));
    problems.push(...listing.problems.map(({ message }) => message));
    await Promise.all(
      listing.places.map((place) =>
        limit(async () => {
          const { key } = place;
          if (source.state.copies[place.version] !== undefined) return;
          const parsed = (await backups.read(key))?.parsed;
          if (parsed === undefined) return;
          if (!parsed.ok) {
            problems.push(problemText(parsed.problem));
            return;
          }
          const { header } = parsed.document;
          const seen = header.issuedAt ?? header.notBefore ?? "1970-01-01T00:00:00Z";
          found[place.version] = {
            ...recordedFacts(header),
            namespace: place.namespace,
            secret: place.secret,
            digest: header.digest,
            key,
            recordedAt: seen,
            seenValid: false,
            liveFrom: seen,
            liveUntil: seen,
            recorded: false,
          };
        }),
      ),
    );
  }
  return { found, problems };
}

export interface Chosen {
  readonly choices: readonly Choice[];
  readonly copies: Readonly<Record<string, KnownCopy>>;
  readonly backups: CopyReader;
  readonly problems: readonly string[];
}

/**
 * Which certificates are meant. @throws CertkeepError usage for names that nothing has, with what
 * was probably meant
 */
export async function choose(
  source: Source,
  title: string,
  request: RestoreRequest,
  ports: RestorePorts,
): Promise<Chosen> {
  const recorded: Record<string, KnownCopy> = Object.fromEntries(
    Object.entries(source.state.copies).map(([version, copy]) => [
      version,
      { ...copy, recorded: true } as KnownCopy,
    ]),
  );
  const select = (copies: Readonly<Record<string, KnownCopy>>): Selected =>
    selectCopies(source.state, copies, request);
  let copies = recorded;
  let selected = select(copies);
  let problems: readonly string[] = [];
  const backups = createCopyReader(ports.backups);
  if (request.unrecorded || selected.unknown.length > 0) {
    const unrecorded = await unrecordedCopies(source, ports, backups);
    copies = { ...unrecorded.found, ...recorded };
    ({ problems } = unrecorded);
    selected = select(copies);
  }
  if (selected.ambiguous.length > 0) {
    throw new CertkeepError("usage", {
      where: `--version ${request.version ?? ""}`,
      found: `${selected.ambiguous.length} versions begin like this`,
      todo: `Name one of: ${selected.ambiguous
        .slice(0, 5)
        .map((version) => version.slice(0, 16))
        .join(", ")}`,
    });
  }
  if (selected.unknown.length > 0) {
    const lines = selected.unknown.map(({ name, suggestion }) =>
      suggestion === null ? name : `${name} (did you mean ${suggestion}?)`,
    );
    throw new CertkeepError("usage", {
      where: `cluster ${title}`,
      found: `no match for ${lines.join(", ")}`,
      todo:
        "Name a domain, a Secret, NAMESPACE/SECRET, or a pattern of what an audit saw. List " +
        "them: certkeep backups",
    });
  }
  return { choices: selected.choices, copies, backups, problems };
}

/** Opens copies until one is good for each choice; of account keys, one of each account. */
export async function openChoices(
  chosen: Chosen,
  source: Source,
  request: RestoreRequest,
  ports: RestorePorts,
  ask: AskRevocation,
): Promise<readonly Wanted[]> {
  const limit = pLimit(OPENS_AT_ONCE);
  let done = 0;
  const open = (choices: readonly Choice[]): Promise<readonly Wanted[]> =>
    Promise.all(
      choices.map((choice) =>
        limit(async () => {
          const wanted = await openChoice(choice, chosen, source, request, { ...ports, ask });
          ports.progress.step("opening backups", (done += 1), chosen.choices.length);
          return wanted;
        }),
      ),
    );
  const certificates = await open(chosen.choices.filter(({ kind }) => kind !== "account-key"));
  // Which keys are needed is known by the headers of what was opened. A key of another place than
  // asked for stays there.
  const keys = chosen.choices.filter(({ kind }) => kind === "account-key");
  const accounts = await open(
    request.as === null ? withAccountsOf(certificates, keys, source.state, chosen.copies) : keys,
  );
  return [...certificates, ...accounts].toSorted(bySlot);
}

async function openChoice(
  choice: Choice,
  chosen: Chosen,
  source: Source,
  request: RestoreRequest,
  ports: RestorePorts & { readonly ask: AskRevocation },
): Promise<Wanted> {
  const nowMs = ports.clock.nowMs();
  const cluster = source.clusters[0] ?? source.target;
  const copies: OpenedCopy[] = [];
  const unusable: UnusableCopy[] = [];
  const accounts = new Set<string | null>();
  for (const version of choice.versions.slice(0, TRIES)) {
    const known = chosen.copies[version];
    if (known === undefined || accounts.has(known.account)) continue;
    const key =
      known.key === ""
        ? copyKey({ cluster, namespace: choice.namespace, secret: choice.secret }, version)
        : known.key;
    const backups = { ...ports, backups: chosen.backups };
    const opened = await openCopy(version, key, known, backups, nowMs, ports.ask);
    if (!opened.ok) {
      unusable.push(opened.unusable);
      continue;
    }
    const { cluster: from, clusterIdentity } = opened.copy.record.header;
    if (!mayRead(opened.copy.record.header, source.readable)) {
      unusable.push({
        version,
        code: "copy_of_another",
        detail: { kind: "origin", cluster: from, identity: clusterIdentity },
      });
      continue;
    }
    copies.push(opened.copy);
    // What rules out a backup doesn't always rule out an older one.
    const objections = copyObjections(
      opened.copy,
      { ...choice, copies: [], unusable: [] },
      { ...request, nowMs },
    );
    if (objections.length > 0) continue;
    if (choice.kind !== "account-key") break;
    accounts.add(known.account);
  }
  return { ...choice, copies, unusable };
}

/**
 * Account that each leaf was issued under: by the headers of what was opened, else as the state
 * knows.
 */
function accountsOfLeaves(
  state: StateDocument,
  wanted: readonly Wanted[],
): ReadonlyMap<string, string> {
  const accounts = new Map<string, string>();
  const add = (leaf: string | null, account: string | null): void => {
    if (leaf !== null && account !== null && !accounts.has(leaf)) accounts.set(leaf, account);
  };
  for (const { copies } of wanted)
    for (const { record } of copies) add(record.header.leafSha256, record.header.accountThumbprint);
  for (const { sha256, account } of Object.values(state.copies)) add(sha256, account);
  for (const { record } of standingSecrets(state))
    for (const { sha256, account } of Object.values(record.certificates)) add(sha256, account);
  return accounts;
}

export async function lookAtCluster(
  wanted: readonly Wanted[],
  source: Source,
  target: RestoreTarget,
  request: RestoreRequest,
  ports: RestorePorts,
): Promise<LiveCluster> {
  const { operatorNamespace, operatorSecret } = target.settings;
  const live = new LiveCluster(target.reader, {
    kit: ports.kit,
    nowMs: ports.clock.nowMs(),
    operatorNamespace,
    operatorSecret,
    accountOfLeaf: accountsOfLeaves(source.state, wanted),
  });
  for (const one of wanted) {
    const shape = one.copies[0]?.shape ?? recordedShape(source.state, one) ?? "tls";
    live.interest(
      { namespace: one.namespace, name: one.secret },
      { shape, fieldBase: one.fieldBase },
    );
    if (request.as !== null) live.interest(request.as, { shape, fieldBase: one.fieldBase });
  }
  await live.read((done, total) => ports.progress.step(`looking at ${target.title}`, done, total));
  await live.readObjects(wanted.flatMap(({ copies }) => copies.slice(0, 1)));
  return live;
}

function recordedShape(state: StateDocument, { namespace, secret }: Wanted) {
  const shape = lastRecord(state, `${namespace}/${secret}`)?.shape ?? null;
  return shape !== null && isShape(shape) ? shape : null;
}
