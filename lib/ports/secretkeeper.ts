/**
 * Makes secrets that settings refer to. Contract (test/e2e/aws/commands.test.ts): a secret that is there is never
 * changed, and no value is read.
 */
export interface SecretKeeper {
  exists(name: string): Promise<boolean>;
  /** `exists` where the name is taken; nothing is changed then. @throws CertkeepError */
  create(name: string, value: string, description: string): Promise<"created" | "exists">;
}
