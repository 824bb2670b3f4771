/** Where the identity is, or goes: an existing one is used, and none goes into a git work tree. */
import { formatMs } from "../../certificate/time.ts";
import { isRecipient } from "../../backup/recipient.ts";
import { CertkeepError } from "../../error.ts";
import type { InitPlaces, InitPorts } from "../init.ts";

export interface Provided {
  readonly path: string;
  readonly action: "created" | "kept";
  readonly recipients: readonly string[];
}

/** The identity that is there, or a new one. */
export async function provideIdentity(places: InitPlaces, ports: InitPorts): Promise<Provided> {
  const found = await findIdentity(places, ports);
  if (found !== null) return found;
  const path = await chooseIdentity(places, ports);
  const there = await readIdentity(path, ports);
  if (there !== null) return there;
  const { identity, recipient } = await ports.identities.generate();
  if (
    (await ports.files.create(
      path,
      identityText(identity, recipient, ports.clock.nowMs()),
      "private",
    )) === "exists"
  ) {
    const other = await readIdentity(path, ports);
    if (other !== null) return other;
    throw new CertkeepError("identity_invalid", {
      where: path,
      found: "another process creates and removes this file",
      todo: "Name a place of its own for the identity: certkeep init --identity FILE",
    });
  }
  return { path, action: "created", recipients: [recipient] };
}

export async function findIdentity(places: InitPlaces, ports: InitPorts): Promise<Provided | null> {
  for (const path of places.identityChosen ? places.identities.slice(0, 1) : places.identities) {
    const found = await readIdentity(path, ports);
    if (found !== null) return found;
  }
  return null;
}

async function readIdentity(path: string, ports: InitPorts): Promise<Provided | null> {
  const text = await ports.files.read(path);
  if (text === null) return null;
  const recipients = (await recipientsOf(text, path, ports)).filter(isRecipient);
  if (recipients.length === 0) {
    throw new CertkeepError("identity_invalid", {
      where: path,
      found: "it has no X25519 identity, as age-keygen makes it",
      todo: "Name another place: certkeep init --identity FILE",
    });
  }
  const tree = await ports.files.workTreeOf(path);
  if (tree !== null)
    ports.note(
      `${path} lies in the git work tree ${tree}: a commit could publish it. Move it out, and ` +
        "name its place as identity: in certkeep.yaml.",
    );
  return { path, action: "kept", recipients };
}

async function recipientsOf(
  text: string,
  path: string,
  ports: InitPorts,
): Promise<readonly string[]> {
  try {
    return await ports.identities.recipientsOf(text, path);
  } catch (error) {
    if (!(error instanceof CertkeepError) || error.parts.todo !== undefined) throw error;
    throw new CertkeepError(error.code, {
      ...error.parts,
      todo:
        "If an interrupted certkeep init left it, nothing was sealed for it: remove it and run " +
        "certkeep init again. Else put your copy of it in its place",
    });
  }
}

async function chooseIdentity(places: InitPlaces, ports: InitPorts): Promise<string> {
  const free: string[] = [];
  const refused: { path: string; tree: string }[] = [];
  for (const path of places.identityChosen ? places.identities.slice(0, 1) : places.identities) {
    const tree = await ports.files.workTreeOf(path);
    if (tree === null) free.push(path);
    else refused.push({ path, tree });
  }
  if (ports.questions !== null && !places.identityChosen) {
    for (;;) {
      const path = await ports.questions.identityPlace(free[0] ?? "");
      const tree = await ports.files.workTreeOf(path);
      if (tree === null) return path;
      ports.note(
        `${path} lies in the git work tree ${tree}: a commit could publish the identity. Name ` +
          "a place outside it.",
      );
    }
  }
  const [first] = free;
  const [worst] = refused;
  if (first !== undefined) {
    if (worst !== undefined)
      ports.note(
        `${worst.path} lies in the git work tree ${worst.tree}: the identity goes to ${first} ` +
          "instead.",
      );
    return first;
  }
  throw new CertkeepError("usage", {
    where: worst?.path ?? "certkeep init",
    found:
      worst === undefined
        ? "there is no place for the identity"
        : `it lies in the git work tree ${worst.tree}, where a commit could publish the identity`,
    todo: "Name a place outside any work tree: certkeep init --identity FILE",
  });
}

/** As age-keygen writes it: lines that begin with # are comments. */
function identityText(identity: string, recipient: string, nowMs: number): string {
  const created = formatMs(nowMs - (nowMs % 1000));
  return (
    `# created: ${created}\n` +
    `# public key: ${recipient}\n` +
    "# certkeep: whoever has this file can open every backup; without it none can be opened. " +
    "Keep a copy in a password manager.\n" +
    `${identity}\n`
  );
}
