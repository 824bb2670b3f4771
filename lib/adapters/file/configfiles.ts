/**
 * The files that a configuration consists of: itself, its registrations, and its kubeconfigs and
 * anchors. Each is read once, and may be used only once it is admitted: the bytes that were checked
 * are the bytes that are used.
 *
 * A configuration that the user named counts, and so does one in the user's own folder that nobody
 * else can write. Any other decides nothing until the user approved these very bytes at this place:
 * it says which programs run, who can decrypt backups, and where data goes. Nothing is read because
 * of a file that isn't admitted.
 */
import type { Stats } from "node:fs";
import { open, stat } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { CertkeepError } from "../../error.ts";
import { commandLine, literal } from "../../report/command.ts";
import { plain } from "../../plain.ts";
import { MAX_BYTES as MAX_CONFIG_BYTES } from "../../config/yaml.ts";
import { READING, readFileAtMost, readOpened, whyUnread } from "../readfile.ts";
import { realOf, sha256Of, type Approvals, type Mark } from "./approvals.ts";

/** `named` by --config, in the `user`'s own folder, or `found` upwards from the current one. */
export type Origin = "named" | "user" | "found";

export interface ConfigFile {
  readonly path: string;
  readonly origin: Origin;
}

/** What a person is asked before a configuration is used. */
export interface Question {
  readonly config: string;
  /** The configuration itself was never approved. */
  readonly isNew: boolean;
  /** `clusters/prod.yaml (changed)`. */
  readonly doubts: readonly string[];
}

export interface Approving {
  readonly approvals: Approvals;
  /** `null`: nobody is asked. */
  readonly ask: ((question: Question) => Promise<boolean>) | null;
  /** The person approves what is there, as it is. */
  readonly accept: boolean;
}

type Writers = Pick<Stats, "uid" | "gid" | "mode">;

interface Loaded {
  readonly path: string;
  /** `error`: the file is missing or can't be read, and stays so for this run. */
  readonly content:
    | { readonly bytes: Buffer; readonly mark: Mark; readonly writers: Writers }
    | { readonly error: unknown };
}

interface Doubt {
  readonly path: string;
  readonly kind: "new" | "changed" | "shared";
  /** `shared`: who else can write it. */
  readonly found: string;
}

/** More than any configuration or kubeconfig has. */
const MAX_BYTES = 16 * 1024 * 1024;
const SHOWN_DOUBTS = 5;

/**
 * `file`: `null` where there is no configuration, and the registrations of the user's folder alone
 * are read.
 */
export class ConfigFiles {
  readonly #file: ConfigFile | null;
  readonly #approving: Approving;
  readonly #loading = new Map<string, Promise<Loaded>>();
  #byApproval;
  #accepted;

  constructor(file: ConfigFile | null, approving: Approving) {
    this.#file = file;
    this.#approving = approving;
    this.#byApproval = file?.origin === "found";
    this.#accepted = approving.accept;
  }

  #load(path: string): Promise<Loaded> {
    const before = this.#loading.get(path);
    if (before !== undefined) return before;
    // Somebody who names a pipe (--config <(…)) wants it read.
    const now = loadFile(path, this.#file?.origin === "named" && path === this.#file.path);
    this.#loading.set(path, now);
    return now;
  }

  async #admit(paths: readonly string[], othersOf: OthersOf): Promise<void> {
    const doubts: Doubt[] = [];
    let needed = this.#byApproval;
    for (const path of paths) {
      const { content } = await this.#load(path);
      if ("error" in content) continue;
      const others = this.#byApproval ? "" : await othersOf(path, content.writers);
      if (others === null) continue;
      needed = true;
      const approved =
        this.#file === null ? null : await this.#approving.approvals.read(this.#file.path, path);
      if (approved?.real === content.mark.real && approved.sha256 === content.mark.sha256) continue;
      const kind = others !== "" ? "shared" : approved === null ? "new" : "changed";
      doubts.push({ path, kind, found: others });
    }
    this.#byApproval = needed;
    const [first] = doubts;
    if (first === undefined || this.#accepted) return;
    if (this.#file === null) throw shared(first, null);
    this.#accepted = (await this.#approving.ask?.(questionOf(this.#file.path, doubts))) === true;
    if (!this.#accepted) throw unapproved(this.#file.path, first, doubts);
  }

  /** @throws CertkeepError config_unapproved */
  async admitConfig(): Promise<void> {
    const file = this.#file;
    if (file === null) return;
    await this.#admit([file.path], async (path, writers) =>
      file.origin === "named" ? null : othersThanUser(path, writers, null),
    );
  }

  /**
   * Files of the folder `clusters/`, which no configuration names. @throws CertkeepError
   * config_unapproved
   */
  async admitRegistrations(paths: readonly string[]): Promise<void> {
    // Whoever can write a configuration that was named may write what lies beside it.
    const named =
      this.#file?.origin === "named" ? (await this.#load(this.#file.path)).content : null;
    const trusted = named !== null && "writers" in named ? named.writers : null;
    await this.#admit(paths, (path, writers) => othersThanUser(path, writers, trusted));
  }

  /** Files that the configuration names. @throws CertkeepError config_unapproved */
  async admitNamed(paths: readonly string[]): Promise<void> {
    if (this.#byApproval) await this.#admit(paths, async () => null);
  }

  /**
   * The bytes of a file that was looked at for this configuration; `null`: it wasn't. @throws as
   * node:fs
   */
  async admitted(path: string): Promise<Buffer | null> {
    const one = await this.#loading.get(path);
    if (one === undefined) return null;
    if ("error" in one.content) throw one.content.error;
    return one.content.bytes;
  }

  /** The bytes of a configuration's own file. @throws CertkeepError config_invalid */
  async read(path: string, shownName: string): Promise<Uint8Array> {
    const refuse = (found: string): CertkeepError =>
      new CertkeepError("config_invalid", {
        where: shownName,
        found: `the file ${found}`,
        todo: `Name a readable file of at most ${MAX_CONFIG_BYTES} bytes`,
      });
    const bytes = await this.admitted(path)
      .then(async (admitted) => admitted ?? (await readFileAtMost(path, MAX_CONFIG_BYTES)))
      .catch((error: unknown) => {
        throw refuse(whyUnread(error));
      });
    if (bytes.length > MAX_CONFIG_BYTES) throw refuse(`has ${bytes.length} bytes`);
    return bytes;
  }

  /** Whether these files count because the user approved them. */
  isApproved(): boolean {
    return this.#byApproval;
  }

  /** Records what the person just accepted. @returns the files that are approved */
  async save(): Promise<readonly string[]> {
    if (this.#file === null || !this.#accepted || !this.#byApproval) return [];
    const all = await Promise.all(this.#loading.values());
    const approved: string[] = [];
    for (const { path, content } of all) {
      if ("error" in content) continue;
      await this.#approving.approvals.write(this.#file.path, path, content.mark);
      approved.push(path);
    }
    return approved;
  }
}

async function loadFile(path: string, pipes: boolean): Promise<Loaded> {
  try {
    const real = await realOf(path);
    const handle = await open(path, READING);
    try {
      const writers = await handle.stat();
      if (!writers.isFile() && !writers.isDirectory() && !pipes)
        throw Object.assign(new Error("pipe"), { code: "ENOTFILE" });
      const bytes = await readOpened(handle, writers, MAX_BYTES);
      return { path, content: { bytes, writers, mark: { real, sha256: sha256Of(bytes) } } };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { path, content: { error } };
  }
}

/** Who else can write a file, in words; `null`: nobody. */
type OthersOf = (path: string, writers: Writers) => Promise<string | null>;

/** `trusted`: whoever can write that file is trusted as well. */
async function othersThanUser(
  path: string,
  file: Writers,
  trusted: Writers | null,
): Promise<string | null> {
  const user = process.geteuid?.();
  if (user === undefined) return null;
  const owners = [user, 0, ...(trusted === null ? [] : [trusted.uid])];
  const folder = await stat(dirname(path)).catch(() => null);
  const looks = [
    { one: file, what: "it" },
    { one: folder, what: "its folder" },
  ];
  for (const { one, what } of looks) {
    if (one === null) continue;
    if (!owners.includes(one.uid)) return `${what} belongs to another user (uid ${one.uid})`;
    const others = one.mode & 0o022 & ~writersOf(trusted, one.gid);
    if (others !== 0) return `others can write ${what} (mode ${(one.mode & 0o7777).toString(8)})`;
  }
  return null;
}

function writersOf(trusted: Writers | null, gid: number): number {
  if (trusted === null) return 0;
  return trusted.mode & (trusted.gid === gid ? 0o022 : 0o002);
}

function questionOf(config: string, doubts: readonly Doubt[]): Question {
  return {
    config,
    isNew: doubts.some(({ path, kind }) => path === config && kind !== "changed"),
    doubts: doubtTexts(config, doubts),
  };
}

function doubtTexts(config: string, doubts: readonly Doubt[]): string[] {
  return doubts.map(({ path, kind, found }) => {
    return `${plain(relative(dirname(config), path))} (${kind === "shared" ? found : kind})`;
  });
}

/** `config`: `null` where there is none, and so nothing that could be approved. */
function shared({ path, found }: Doubt, config: string | null): CertkeepError {
  const approve = config === null ? "" : `, or approve it as it is: ${approveCommand(config)}`;
  return new CertkeepError("config_unapproved", {
    where: plain(path),
    found,
    todo: `Make the file and its folder writable for you alone (chmod go-w, chown)${approve}`,
  });
}

function unapproved(config: string, first: Doubt, doubts: readonly Doubt[]): CertkeepError {
  if (first.kind === "shared") return shared(first, config);
  const isOwn = first.path === config;
  const texts = doubtTexts(config, doubts);
  const more = texts.length - SHOWN_DOUBTS;
  const others = `${texts.slice(0, SHOWN_DOUBTS).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  const why = isOwn
    ? `it ${first.kind === "new" ? "isn't approved" : "changed since you approved it"}`
    : `you haven't approved ${others}`;
  return new CertkeepError("config_unapproved", {
    where: plain(config),
    found: `certkeep uses nothing in it, because ${why}`,
    todo:
      `Read ${isOwn || doubts.length === 1 ? "it" : "them"}, then run: ` +
      `${approveCommand(config)} (a script names the file with --config)`,
  });
}

function approveCommand(config: string): string {
  return (
    commandLine(literal("certkeep init --approve"), config) ??
    "certkeep init --approve FILE, with its path for FILE"
  );
}
