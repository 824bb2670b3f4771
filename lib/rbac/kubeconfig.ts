/**
 * The kubeconfig of one credential: one cluster, one user, one context. Its text holds the
 * credential. Pure.
 */
import { stringify } from "yaml";

/** How the server is reached, as an administrator's context says it. */
export interface ServerPlace {
  readonly server: string;
  /** PEM; `null`: the system's authorities. */
  readonly caPem: string | null;
  readonly tlsServerName: string | null;
  readonly proxyUrl: string | null;
}

/** Who asks; nobody with IAM, which makes a new token each time. */
export type StoredCredential =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "pair"; readonly cert: string; readonly key: string }
  | { readonly kind: "none" };

export function kubeconfigText(
  name: string,
  place: ServerPlace,
  credential: StoredCredential,
): string {
  const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
  const user =
    credential.kind === "token"
      ? { token: credential.token }
      : credential.kind === "pair"
        ? {
            "client-certificate-data": base64(credential.cert),
            "client-key-data": base64(credential.key),
          }
        : {};
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      "current-context": name,
      clusters: [
        {
          name,
          cluster: {
            server: place.server,
            ...(place.caPem === null ? {} : { "certificate-authority-data": base64(place.caPem) }),
            ...(place.tlsServerName === null ? {} : { "tls-server-name": place.tlsServerName }),
            ...(place.proxyUrl === null ? {} : { "proxy-url": place.proxyUrl }),
          },
        },
      ],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
    },
    { lineWidth: 0 },
  );
}
