/**
 * Values that a configuration names and doesn't hold: `secretsmanager://NAME`.
 * Errors are `CertkeepError` with a `store_*` code that names the secret; never its value.
 */
export interface SecretValues {
  /** The current value as text; `null` where there is no secret of that name, or it has no value. */
  read(name: string): Promise<string | null>;
}
