/**
 * Sealing for recipients, and opening with an identity. The two are apart: who audits holds recipients
 * only and can't open what it wrote.
 */
export interface Sealer {
  /** An armored age file for all `recipients` (`age1…`). @throws CertkeepError seal_failed, naming the recipient that isn't one */
  seal(plaintext: Uint8Array, recipients: readonly string[]): Promise<string>;
}

export interface Opener {
  /** Recipients that the identities stand for. */
  readonly recipients: readonly string[];
  /** @throws CertkeepError open_failed: damaged, or sealed for others */
  open(sealed: string): Promise<Uint8Array>;
}
