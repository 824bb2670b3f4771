/** The user of a kubeconfig's context, by what lets it in. */
import { X509Certificate, createPrivateKey } from "node:crypto";
import { dirname, isAbsolute, join } from "node:path";
import { CertkeepError } from "../../error.ts";
import { printable } from "./connection.ts";
import { certificateEndMs, parseImpersonation, type UserSettings } from "./credential.ts";
import {
  type ConnectOptions,
  type ContextParts,
  invalid,
  type KubeconfigEntry,
  namesFile,
  readMaterial,
} from "./entry.ts";
import { parseExec } from "./exec.ts";
import { OidcTokens } from "./oidc.ts";
import { fieldsOf, textOf } from "./parse.ts";

async function readClientPair(
  user: KubeconfigEntry,
  place: string,
  { nowMs: clock, allowFiles }: ConnectOptions,
): Promise<UserSettings["clientPair"]> {
  const nowMs = clock();
  const cert = await readMaterial(user, "client-certificate", place, allowFiles);
  const key = await readMaterial(user, "client-key", place, allowFiles);
  if (cert === null && key === null) return null;
  if (cert === null || key === null)
    throw invalid(
      place,
      "the user has a client " +
        `${cert === null ? "key but no certificate" : "certificate but no key"}`,
      "both or neither",
    );
  const end = certificateEndMs(cert);
  if (end === null)
    throw invalid(place, "the user's client certificate can't be read", "a PEM certificate");
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw invalid(
        place,
        "the user's client key doesn't belong to the client certificate",
        "a pair",
      );
  } catch (error) {
    if (error instanceof CertkeepError) throw error;
    throw invalid(place, "the user's client key can't be read", "a PEM key without a passphrase");
  }
  if (nowMs > end) {
    throw new CertkeepError("cluster_unauthorized", {
      where: place,
      found: `the user's client certificate expired at ${new Date(end).toISOString()}`,
      todo: "Fetch the kubeconfig again",
    });
  }
  return { cert, key };
}

/** @throws {CertkeepError} */
export async function readUser(
  parts: ContextParts,
  options: ConnectOptions,
): Promise<UserSettings> {
  const { user, place } = parts;
  const { fields } = user;
  const clientPair = await readClientPair(user, place, options);
  const tokenFile = textOf(fields["tokenFile"]) ?? textOf(fields["token-file"]);
  if (tokenFile !== null && tokenFile !== "" && options.allowFiles === false)
    throw namesFile(place, "tokenFile");
  const token = textOf(fields["token"]);
  const username = textOf(fields["username"]);
  const execEntry =
    fields["exec"] === undefined || fields["exec"] === null ? null : fieldsOf(fields["exec"]);
  const exec = execEntry === null ? null : parseExec(execEntry, user.file);
  if (execEntry !== null && exec === null)
    throw invalid(place, "the user's `exec` names no command", "`command`");
  if (exec !== null && options.allowExec === false) {
    throw invalid(
      place,
      `the user needs the credential plugin ${printable(exec.command)}, and programs aren't ` +
        "run from here",
      "a token or client certificate",
      "Register the cluster with a kubeconfig of a read-only service account",
    );
  }
  const absolute =
    tokenFile === null || tokenFile === ""
      ? null
      : isAbsolute(tokenFile)
        ? tokenFile
        : join(dirname(user.file), tokenFile);
  return {
    token: token === null || token.trim() === "" ? null : token.trim(),
    tokenFile: absolute,
    basic:
      username === null || username === ""
        ? null
        : { username, password: textOf(fields["password"]) ?? "" },
    clientPair,
    exec,
    oidc: parseAuthProvider(user, place, options),
    impersonation: parseImpersonation(fields),
  };
}

/** What the user of a legacy `auth-provider` uses by now. */
const PLUGINS: Readonly<Record<string, readonly [plugin: string, todo: string]>> = {
  gcp: [
    "gke-gcloud-auth-plugin",
    "Install it, then run: gcloud container clusters get-credentials CLUSTER",
  ],
  azure: ["kubelogin", "Install it, then run: kubelogin convert-kubeconfig"],
};

function parseAuthProvider(
  user: KubeconfigEntry,
  place: string,
  options: ConnectOptions,
): OidcTokens | null {
  const provider = user.fields["auth-provider"];
  if (provider === undefined || provider === null) return null;
  const { name, config } = fieldsOf(provider);
  const shown = `the auth-provider ${printable(textOf(name) ?? "", 40)}`;
  const plugin = Object.hasOwn(PLUGINS, textOf(name) ?? "") ? PLUGINS[textOf(name) ?? ""] : null;
  if (plugin != null)
    throw invalid(
      place,
      `the user has ${shown}, which was removed from kubectl`,
      `the credential plugin ${plugin[0]}`,
      plugin[1],
    );
  if (name !== "oidc")
    throw invalid(
      place,
      `the user has ${shown}, which is unknown`,
      "a token, client certificate or exec plugin",
    );
  const { askProvider, environment, nowMs, rewritten } = options;
  if (askProvider === undefined)
    throw invalid(
      place,
      `the user needs ${shown}, and identity providers aren't asked from here`,
      "a token or client certificate",
      "Register the cluster with a kubeconfig of a read-only service account",
    );
  const { file, name: userName } = user;
  return new OidcTokens(fieldsOf(config), {
    file,
    user: userName,
    where: place,
    environment,
    nowMs,
    askProvider,
    rewritten,
  });
}
