/**
 * A role that is taken on for one registration. `session` is the registration's name, which nothing
 * in the registration chooses: a role's trust policy can demand it. What AWS says when it refuses
 * is told by its code alone.
 */
import { CertkeepError } from "../../error.ts";
import { clientSettings } from "./client.ts";

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * Taken on by whatever identity this process has (environment, profile, instance), each time again
 * before its end.
 */
export function roleCredentials(
  role: string,
  region: string,
  session: string,
  environment: Readonly<Record<string, string | undefined>>,
): () => Promise<RoleCredentials> {
  let provider: (() => Promise<RoleCredentials>) | null = null;
  return async () => {
    try {
      if (provider === null) {
        // Loaded here: whoever has no such cluster doesn't pay for it.
        const { fromNodeProviderChain, fromTemporaryCredentials } =
          await import("@aws-sdk/credential-providers");
        provider = fromTemporaryCredentials({
          masterCredentials: fromNodeProviderChain(),
          params: {
            RoleArn: role,
            RoleSessionName: `certkeep-${session}`.slice(0, 64),
            DurationSeconds: 3600,
          },
          clientConfig: clientSettings(
            { env: { ...environment, AWS_REGION: region } },
            "STS",
          ).config(),
        });
      }
      return await provider();
    } catch (error) {
      const name =
        error instanceof Error && /^[A-Za-z]{1,80}$/.test(error.name)
          ? error.name
          : "an error without a name";
      throw new CertkeepError("cluster_unauthorized", {
        where: `role ${role}`,
        found: `AWS denied assuming it (${name})`,
        todo:
          "Let the identity that certkeep runs as assume the role (its trust policy, and " +
          "sts:AssumeRole), or log in to AWS",
      });
    }
  };
}
