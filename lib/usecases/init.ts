/**
 * Sets certkeep up: an identity that opens backups, and a `certkeep.yaml` that names its recipient.
 *
 * Never replaces a file: an identity that is there is used, a configuration that is there keeps
 * every line and at most gains its recipients, after a question. The identity is written first, so
 * that no configuration ever names a recipient whose identity was lost on the way; and never inside
 * a git work tree, where the next commit could publish it.
 */
import { addClusters, addSettings } from "../config/edit.ts";
import { parseConfig } from "../config/parse.ts";
import { problemLine } from "../config/problem.ts";
import { clusterNameFor } from "../config/settings.ts";
import { renderConfig, type TemplateCluster } from "../config/template.ts";
import { CertkeepError, isCertkeepError } from "../error.ts";
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
  /** Contexts to audit, as options name them; `null`: none do. */
  readonly contexts: readonly string[] | null;
  /** Where the JSON Schema lies, as a configuration at `config` would name it. */
  schemaPath(config: string): string | null;
  /** A path as a `file:` reference, short where it lies in the home folder. */
  reference(path: string): string;
}

export interface InitResult {
  readonly config: { readonly path: string; readonly action: "created" | "updated" | "kept" };
  /** `null`: the configuration has recipients, and their identity isn't here. */
  readonly identity: { readonly path: string; readonly action: "created" | "kept" } | null;
  readonly recipients: readonly string[];
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
  const clusters = await chooseClusters(places, ports);
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
      found: "the file appeared in the meantime",
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
      found: "there is no place for a configuration",
      todo: "Add --config FILE",
    });
  return ports.questions === null || places.configs.length === 1
    ? first
    : await ports.questions.configPlace(places.configs);
}

/**
 * The contexts that a person names are pinned in the file: audits don't follow whatever context is
 * current. Where nobody names one, the file follows the current context.
 */
async function chooseClusters(places: InitPlaces, ports: InitPorts): Promise<TemplateCluster[]> {
  const taken = new Set<string>();
  return (await chooseContexts(places, ports)).map((context) => {
    const base = clusterNameFor(context);
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base.slice(0, 60 - String(n).length)}-${n}`;
    taken.add(name);
    return { name, context };
  });
}

async function chooseContexts(
  { contexts }: InitPlaces,
  ports: InitPorts,
): Promise<readonly string[]> {
  if (contexts === null && ports.questions === null) return [];
  let choices: readonly ContextChoice[] = [];
  try {
    choices = await ports.listContexts();
  } catch (error) {
    // A kubeconfig that can't be read keeps nobody from setting up.
    if (!(error instanceof CertkeepError) || contexts !== null) throw error;
    ports.note(`${error.message}. Continuing without it. Name clusters in certkeep.yaml later.`);
  }
  const unknown = contexts?.find((context) => !choices.some(({ name }) => name === context));
  if (unknown !== undefined)
    throw new CertkeepError("context_unknown", {
      where: "--context",
      found: `your kubeconfig has no context ${unknown}`,
      todo: `Name one of: ${choices.map(({ name }) => name).join(", ")}`,
    });
  if (contexts !== null) return [...new Set(contexts)];
  return choices.length === 0 || ports.questions === null ? [] : ports.questions.contexts(choices);
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
      found: "it has mistakes, so nothing was changed",
      lines: parsed.problems.map((problem) => `  ${problemLine(problem)}`),
    });
  }
  const { recipients, clusters: named } = parsed.config;
  const unchanged = { config: { path, action: "kept" }, clusters: [] } as const;
  if (places.contexts !== null) {
    if (named.length > 0)
      throw new CertkeepError("usage", {
        where: path,
        found: `--context can't add to its clusters: ${named.map(({ name }) => name).join(", ")}`,
        todo: "Add the cluster there, with context:",
      });
    const clusters = await chooseClusters(places, ports);
    await replaceText(path, text, addClusters(text, clusters), ports);
    const after = { ...places, contexts: null };
    const result = await completeConfig(path, (await ports.files.read(path)) ?? "", after, ports);
    const config = { path, action: "updated" } as const;
    return { ...result, config, clusters: clusters.map(({ name }) => name) };
  }
  if (recipients.length > 0) {
    const found = await findIdentity(places, ports).catch((error: unknown) => {
      if (!isCertkeepError(error)) throw error;
      ports.note(error.message);
      return null;
    });
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
  await replaceText(path, text, after, ports);
  const config = { path, action: "updated" } as const;
  return { config, identity, recipients: identity.recipients, clusters: [], opens: true };
}

/** `after`: `null` where nothing can be put into the file safely. @throws CertkeepError usage */
async function replaceText(
  path: string,
  before: string,
  after: string | null,
  { files }: InitPorts,
): Promise<void> {
  if (after !== null && (await files.replace(path, before, after)) === "replaced") return;
  throw new CertkeepError("usage", {
    where: path,
    found:
      after === null
        ? "clusters can't be added to it safely, as its settings aren't one a line"
        : "the file changed in the meantime",
    todo: after === null ? "Name them there, under clusters:" : "Run certkeep init again",
  });
}
