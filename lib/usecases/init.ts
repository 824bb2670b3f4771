/**
 * Sets certkeep up: an identity that opens backups, and a `certkeep.yaml` that names its recipient.
 *
 * Never replaces a file: an identity that is there is used, a configuration that is there keeps
 * every line and at most gains its recipients, after a question. The identity is written first, so
 * that no configuration ever names a recipient whose identity was lost on the way; and never inside
 * a git work tree, where the next commit could publish it.
 */
import { addSettings } from "../config/edit.ts";
import { parseConfig } from "../config/parse.ts";
import { problemLine } from "../config/problem.ts";
import { clusterNameFor } from "../config/settings.ts";
import { renderConfig, type TemplateCluster } from "../config/template.ts";
import { CertkeepError } from "../error.ts";
import type { Clock } from "../ports/runtime.ts";
import { findIdentity, provideIdentity } from "./init/identity.ts";

export interface ContextChoice {
  readonly name: string;
  readonly current: boolean;
}

/** Files, as this use case needs them. Paths are absolute. */
export interface InitFiles {
  /** `null` where there is no such file. @throws CertkeepError file_unreadable */
  read(path: string): Promise<string | null>;
  /**
   * Makes the file and its folders, durably; `exists` where the name is taken, and nothing is
   * changed then.
   */
  create(path: string, text: string, access: "private" | "public"): Promise<"created" | "exists">;
  /**
   * Puts `after` in the place of exactly `before`, durably; `changed` where the file holds
   * something else by now.
   */
  replace(path: string, before: string, after: string): Promise<"replaced" | "changed">;
  /** Folder of the git work tree that `path` lies in, or would lie in. */
  workTreeOf(path: string): Promise<string | null>;
}

export interface InitQuestions {
  configPlace(choices: readonly string[]): Promise<string>;
  contexts(choices: readonly ContextChoice[]): Promise<readonly string[]>;
  /** @returns an absolute path */
  identityPlace(suggested: string): Promise<string>;
  addRecipient(file: string, recipient: string): Promise<boolean>;
}

export interface InitPorts {
  readonly files: InitFiles;
  readonly identities: {
    generate(): Promise<{ readonly identity: string; readonly recipient: string }>;
    /**
     * Recipients of the identities in the text of an identity file. @throws CertkeepError
     * identity_invalid
     */
    recipientsOf(text: string, path: string): Promise<readonly string[]>;
  };
  listContexts(): Promise<readonly ContextChoice[]>;
  /** `null`: nobody is asked, and the defaults are taken. */
  readonly questions: InitQuestions | null;
  readonly clock: Clock;
  /** A line for the person. */
  note(message: string): void;
}

export interface InitPlaces {
  /** The configuration that holds already, or `null`. */
  readonly existing: string | null;
  /** Where a new one may go; the first is the default. */
  readonly configs: readonly string[];
  /** Where the identity may go, best first. With `identityChosen` only the first counts. */
  readonly identities: readonly string[];
  /** The person said where the identity goes. */
  readonly identityChosen: boolean;
  /** Where the JSON Schema lies, as a configuration at `config` would name it. */
  schemaPath(config: string): string | null;
  /** A path as a `file:` reference, short where it lies in the home folder. */
  reference(path: string): string;
}

export interface InitResult {
  readonly config: { readonly path: string; readonly action: "created" | "updated" | "kept" };
  /** `null`: the configuration has recipients, and their identity isn't here. */
  readonly identity: { readonly path: string; readonly action: "created" | "kept" } | null;
  /** Those that copies are sealed for from now on. */
  readonly recipients: readonly string[];
  /** Clusters that a new configuration names. */
  readonly clusters: readonly string[];
  /** Whether the identity opens what is sealed from now on. */
  readonly opens: boolean;
}

export async function runInit(places: InitPlaces, ports: InitPorts): Promise<InitResult> {
  const { existing } = places;
  if (existing !== null) {
    const text = await ports.files.read(existing);
    if (text !== null) return await completeConfig(existing, text, places, ports);
  }
  const path = existing ?? (await chooseConfig(places, ports));
  const clusters = await chooseClusters(ports);
  const identity = await provideIdentity(places, ports);
  const config = renderConfig({
    recipients: identity.recipients,
    identity: places.reference(identity.path),
    clusters,
    schemaPath: places.schemaPath(path),
  });
  if ((await ports.files.create(path, config, "public")) === "exists") {
    throw new CertkeepError("usage", {
      where: path,
      found: "a file that appeared in the meantime",
      expected: "none",
      todo: "Run certkeep init again: it completes what is there",
    });
  }
  return {
    config: { path, action: "created" },
    identity,
    recipients: identity.recipients,
    clusters: clusters.map(({ name }) => name),
    opens: true,
  };
}

async function chooseConfig(places: InitPlaces, ports: InitPorts): Promise<string> {
  const [first] = places.configs;
  if (first === undefined)
    throw new CertkeepError("usage", {
      where: "certkeep init",
      found: "no place for a configuration",
      expected: "--config FILE",
    });
  return ports.questions === null || places.configs.length === 1
    ? first
    : await ports.questions.configPlace(places.configs);
}

/**
 * A kubeconfig that can't be read keeps nobody from setting up: the file then follows the current
 * context.
 */
async function chooseClusters(ports: InitPorts): Promise<TemplateCluster[]> {
  let choices: readonly ContextChoice[] = [];
  try {
    choices = await ports.listContexts();
  } catch (error) {
    if (!(error instanceof CertkeepError)) throw error;
    ports.note(
      `${error.message}. Going on without: the clusters can be named in certkeep.yaml later.`,
    );
  }
  if (choices.length === 0) return [];
  const wanted =
    ports.questions === null
      ? choices.filter(({ current }) => current).map(({ name }) => name)
      : await ports.questions.contexts(choices);
  // The current context alone needs no entry: without a name the cluster is known by its identity,
  // so what audits saw before goes on, and another cluster whose context happens to be called the
  // same never meets its state.
  if (wanted.length === 1 && choices.some(({ name, current }) => current && name === wanted[0]))
    return [];
  const taken = new Set<string>();
  return wanted.map((context) => {
    const base = clusterNameFor(context);
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base.slice(0, 60 - String(n).length)}-${n}`;
    taken.add(name);
    return { name, context };
  });
}

/** A configuration that is there: keeps it, and adds recipients where it has none. */
async function completeConfig(
  path: string,
  text: string,
  places: InitPlaces,
  ports: InitPorts,
): Promise<InitResult> {
  const parsed = parseConfig(text, path);
  if (!parsed.ok) {
    throw new CertkeepError("config_invalid", {
      where: path,
      found: "a configuration with mistakes, so nothing was changed",
      lines: parsed.problems.map((problem) => `  ${problemLine(problem)}`),
    });
  }
  const { recipients } = parsed.config;
  const unchanged = { config: { path, action: "kept" }, clusters: [] } as const;
  if (recipients.length > 0) {
    const found = await findIdentity(places, ports);
    const opens =
      found !== null && found.recipients.some((recipient) => recipients.includes(recipient));
    const identity = found === null ? null : ({ path: found.path, action: "kept" } as const);
    return { ...unchanged, identity, recipients, opens };
  }
  const identity = await provideIdentity(places, ports);
  const addition = { recipients: identity.recipients, identity: places.reference(identity.path) };
  const after = addSettings(text, addition);
  const [recipient = ""] = identity.recipients;
  const agreed =
    after !== null &&
    (ports.questions === null || (await ports.questions.addRecipient(path, recipient)));
  if (!agreed || after === null) {
    ports.note(
      `${path} was left as it is. Nothing is backed up until it has this line at its top: ` +
        `recipients: [${identity.recipients.join(", ")}]`,
    );
    return { ...unchanged, identity, recipients: [], opens: false };
  }
  if ((await ports.files.replace(path, text, after)) === "changed") {
    throw new CertkeepError("usage", {
      where: path,
      found: "a file that somebody changed in the meantime",
      expected: "the same as before",
      todo: "Run certkeep init again",
    });
  }
  const config = { path, action: "updated" } as const;
  return { config, identity, recipients: identity.recipients, clusters: [], opens: true };
}
