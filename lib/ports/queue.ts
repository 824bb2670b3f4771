/**
 * A queue that takes messages and delivers each at least once.
 *
 * Contract (test/adapters/aws/queue.test.ts): what isn't among the refused was taken. A message that was refused for a
 * reason that passes has been tried again.
 */
export interface QueueMessage {
  /** Names the message among those that are sent together. */
  readonly id: string;
  readonly body: string;
}

export interface RefusedMessage {
  readonly id: string;
  /** The queue's word for why, `[A-Za-z0-9._]` only. */
  readonly code: string;
}

export interface Queue {
  /** For people. */
  readonly url: string;
  /** @returns those that the queue didn't take */
  send(messages: readonly QueueMessage[]): Promise<readonly RefusedMessage[]>;
}
