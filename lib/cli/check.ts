/**
 * `certkeep check CERT [KEY]`: judges what lies in files, on standard input or in a Secret
 * manifest.
 */
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { bareName } from "../finding/place.ts";
import { Command } from "commander";
import { formatMs } from "../certificate/time.ts";
import { createKit } from "../wiring/kit.ts";
import { readNamedFile, readNamedStream, whyUnread } from "../wiring/reference.ts";
import { composeConfig } from "../wiring/config.ts";
import { CertkeepError } from "../error.ts";
import { createIssuer, type Issuer } from "../issuer/issuers.ts";
import { type CheckResult, checkText } from "../report/check.ts";
import { plain } from "../plain.ts";
import { count } from "../report/text.ts";
import {
  anchorsOf,
  checkDocument,
  type CheckOptions,
  checkPair,
  checkSecrets,
  pairFiles,
  recognise,
} from "../usecases/check.ts";
import { type Io, log, tell, writeJson, writeLine } from "./io.ts";
import {
  type CommonOptions,
  configWorld,
  DOCUMENT,
  pageOf,
  withAt,
  withOutput,
} from "./options.ts";

const SCHEMA = "certkeep.check/v1";
const STDIN = "-";

type Options = CommonOptions & { readonly domain?: string; readonly anchors?: string };

/** What was judged, and what could not be read. */
interface Outcome {
  readonly results: readonly CheckResult[];
  readonly unread: readonly CertkeepError[];
}

export function checkCommand(io: Io): Command {
  const command = new Command("check")
    .description("Check a certificate and its private key in files")
    .argument(
      "<cert>",
      "A PEM certificate with its chain, a Secret manifest, a folder of pairs, or - for " +
        "standard input",
    )
    .argument("[key]", "Its private key, if it is in another file")
    .option("--domain <name>", "Check that the certificate is valid for this name")
    .option("--anchors <file>", "Trust only the CA certificates in this PEM file");
  return withOutput(withAt(command), DOCUMENT)
    .option("--config <file>", "Trust the issuers of this certkeep.yaml too")
    .addHelpText(
      "after",
      `
Exit codes: 0 all are valid, 1 one isn't, 2 wrong usage, 3 a file can't be read.
The private key is never printed.

Examples:
  certkeep check tls.crt tls.key --domain shop.example.ts.net
  kubectl get secret operator -n tailscale -o yaml | certkeep check -`,
    )
    .action(async (certificate: string, key: string | undefined, options: Options) => {
      const { results, unread } = await outcomeOf(io, certificate, key ?? null, options);
      printResults(io, results, options);
      for (const error of unread) tell(io, error);
      if (results.some((result) => !result.valid)) io.exit(1);
    });
}

function printResults(io: Io, results: readonly CheckResult[], options: Options): void {
  if (options.json === true) {
    writeJson(io, SCHEMA, checkDocument(results));
    for (const { subject, keyChecked } of results)
      if (!keyChecked)
        writeLine(
          io.stderr,
          `certkeep: ${plain(subject)}: the private key wasn't checked: none was given.`,
        );
  } else if (results.length > 0) {
    const page = pageOf(io, options);
    writeLine(io.stdout, checkText(results, { ...page, atMs: page.nowMs }));
  }
}

async function outcomeOf(
  io: Io,
  certificate: string,
  key: string | null,
  options: Options,
): Promise<Outcome> {
  if (options.domain === "")
    throw usage("--domain", "the name is empty", "Give a host name, or leave out --domain");
  if ([certificate, key, options.anchors].filter((path) => path === STDIN).length > 1) {
    throw usage(
      "certkeep check",
      "standard input (-) is named more than once",
      "Name it once, with chain and key in it",
    );
  }
  for (const path of [certificate, key, options.anchors])
    if (path === "")
      throw usage("certkeep check", "a file name is empty", "Give a path, or - for standard input");

  const kit = createKit(options.config === undefined ? [] : await configuredIssuers(io, options));
  const unread: CertkeepError[] = [];
  const read = async (path: string): Promise<Uint8Array | null> => {
    try {
      return await bytesOf(io, path);
    } catch (error) {
      if (!(error instanceof CertkeepError)) throw error;
      unread.push(error);
      return null;
    }
  };
  const pem = options.anchors === undefined ? null : await read(options.anchors);
  if (options.anchors !== undefined && pem === null) return { results: [], unread };
  const anchors = pem === null ? kit.anchors : anchorsOf(pem);
  if (anchors.ders.length === 0)
    writeLine(
      io.stderr,
      `certkeep: ${plain(options.anchors ?? "")} holds no certificate: nothing is trusted.`,
    );
  const settings: CheckOptions = {
    kit: { ...kit, anchors },
    domain: options.domain === undefined ? null : bareName(options.domain),
    atMs: options.at ?? io.nowMs(),
  };
  log(
    io,
    `${count(anchors.ders.length, "trusted CA certificate")}; checks as of ` +
      formatMs(settings.atMs),
  );

  const folder = certificate !== STDIN && (await isFolder(io, certificate));
  const results = folder
    ? await checkFolder(io, certificate, key, read, settings)
    : await checkFiles(certificate, key, read, settings);
  return { results, unread };
}

async function configuredIssuers(io: Io, options: Options): Promise<readonly Issuer[]> {
  const { config } = await composeConfig(configWorld(io, options));
  return config.issuers.map(({ id, title, kind, anchors }) =>
    createIssuer({
      id,
      title,
      environment: kind,
      anchorsPem: anchors.kind === "pem" ? anchors.pem : "",
    }),
  );
}

type Read = (path: string) => Promise<Uint8Array | null>;

async function checkFiles(
  certificate: string,
  key: string | null,
  read: Read,
  settings: CheckOptions,
): Promise<readonly CheckResult[]> {
  const bytes = await read(certificate);
  if (key !== null) {
    const keyBytes = await read(key);
    return bytes === null || keyBytes === null
      ? []
      : [await checkPair({ subject: certificate, certificate: bytes, key: keyBytes }, settings)];
  }
  if (bytes === null) return [];
  const input = recognise(bytes);
  const where = certificate === STDIN ? "standard input" : plain(certificate);
  switch (input.kind) {
    case "combined":
      return [await checkPair({ subject: certificate, certificate: bytes, key: bytes }, settings)];
    case "secrets": {
      const results = await checkSecrets(input.secrets, settings);
      if (results.length === 0) {
        throw usage(
          where,
          `none of ${count(input.secrets.length, "Secret")} and ` +
            `${count(input.others, "other object")} holds a certificate`,
          "Pass a Secret that holds one",
        );
      }
      return results;
    }
    case "broken":
      throw usage(
        `${where}:${input.line}:${input.column}`,
        `it has ${input.found}`,
        "Pass a Secret manifest as kubectl get secret -o yaml or -o json prints it",
      );
    case "certificate_only":
      return [await checkPair({ subject: certificate, certificate: bytes, key: null }, settings)];
    case "unknown": {
      const found = bytes.length === 0 ? "it is empty" : "it is neither PEM nor a Secret manifest";
      throw usage(
        where,
        found,
        "For files: certkeep check CERT KEY; for a Secret: kubectl get secret NAME -o yaml | " +
          `certkeep check ${STDIN}`,
      );
    }
  }
}

async function checkFolder(
  io: Io,
  folder: string,
  key: string | null,
  read: Read,
  settings: CheckOptions,
): Promise<readonly CheckResult[]> {
  if (key !== null)
    throw usage(
      plain(folder),
      "this is a folder, and a key is named too",
      "Name the certificate's file before the key, or the folder alone",
    );
  const names = await listing(io, folder);
  const pairs = pairFiles(names);
  if (pairs.length === 0) {
    throw usage(
      plain(folder),
      `its ${count(names.length, "file")} have no pair such as X.crt and X.key, tls.crt and ` +
        "tls.key, or fullchain.pem and privkey.pem",
      "Name the files themselves: certkeep check CERT KEY",
    );
  }
  const results: CheckResult[] = [];
  for (const [certificateName, keyName] of pairs) {
    const subject = join(folder, certificateName);
    const certificate = await read(subject);
    const keyBytes = await read(join(folder, keyName));
    if (certificate !== null && keyBytes !== null)
      results.push(await checkPair({ subject, certificate, key: keyBytes }, settings));
  }
  return results;
}

async function listing(io: Io, path: string): Promise<readonly string[]> {
  try {
    return await readdir(resolve(io.cwd, path));
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function isFolder(io: Io, path: string): Promise<boolean> {
  try {
    return (await stat(resolve(io.cwd, path))).isDirectory();
  } catch {
    // What isn't there is told when it is opened.
    return false;
  }
}

async function bytesOf(io: Io, path: string): Promise<Uint8Array> {
  try {
    return path === STDIN
      ? await readNamedStream(io.stdin as AsyncIterable<Uint8Array | string>)
      : await readNamedFile(resolve(io.cwd, path));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): CertkeepError {
  return new CertkeepError("file_unreadable", {
    where: path === STDIN ? "standard input" : plain(path),
    found: `it ${whyUnread(error)}`,
    todo: "Correct the path or the file's permissions (limit: 256 MiB)",
  });
}

function usage(where: string, found: string, todo: string): CertkeepError {
  return new CertkeepError("usage", { where, found, todo });
}
