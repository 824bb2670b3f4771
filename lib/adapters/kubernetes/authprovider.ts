/**
 * Legacy `auth-provider` users (oidc, gcp, azure), by @kubernetes/client-node, which renews their tokens.
 *
 * The library is loaded at the first use: its import takes 0.4 s and 85 MB, and such users are rare since
 * plugins took their place. It may run a program of the kubeconfig, so it is for a person's own one.
 */
import { CertkeepError } from "../../error.ts";
import type { AuthProvider } from "./context.ts";
import { fieldsOf, textOf } from "./json.ts";

/** Makes what `ConnectOptions.authProvider` wants. */
export function createAuthProvider(): AuthProvider {
  return async (user) => {
    const provider = fieldsOf(user["auth-provider"]);
    const where = `kubeconfig, auth-provider ${/^[a-z]{1,20}$/.exec(textOf(provider["name"]) ?? "")?.[0] ?? "without a known name"}`;
    const { KubeConfig } = await import("@kubernetes/client-node");
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      { name: "cluster", server: "https://localhost", skipTLSVerify: false },
      { name: "user", authProvider: structuredClone(provider) },
    );
    const options: { headers: Record<string, string> } = { headers: {} };
    try {
      await config.applyToHTTPSOptions(options);
    } catch {
      // Its errors hold the identity provider's answer, tokens included.
      throw new CertkeepError("cluster_unauthorized", {
        where,
        found: "no token could be had",
        todo: "Log in anew by kubectl, or use an exec plugin",
      });
    }
    const token = options.headers["Authorization"];
    if (token === undefined)
      throw new CertkeepError("cluster_unauthorized", {
        where,
        found: "no token could be had",
        todo: "Log in anew by kubectl, or use an exec plugin",
      });
    return { authorization: token };
  };
}
