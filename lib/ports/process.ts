/** Processes of this machine, told apart for as long as it runs: a process id alone is reused. */
export interface ProcessMark {
  /** Id of the boot. */
  readonly boot: string;
  /** Namespaces in which `pid` and `started` count. */
  readonly namespaces: string;
  readonly pid: number;
  /** When the process started, in the system's own unit since the boot. */
  readonly started: string;
}

export interface ProcessTable {
  /** `null` where the system doesn't tell all of it. */
  own(): Promise<ProcessMark | null>;
  /** Whether that process certainly ended. `false` where anything differs or can't be read. */
  isGone(mark: ProcessMark): Promise<boolean>;
}
