/** Waiting, as an argument: a use case that has to wait takes this. */
export interface Timer {
  /** Ends early, without an error, where `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
