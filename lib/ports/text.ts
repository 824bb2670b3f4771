/** One text that lies somewhere and is replaced as a whole. A reader sees the old one or the new one. */
export interface SharedText {
  /** For people. */
  readonly url: string;
  /** `null` where there is none. */
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
}
