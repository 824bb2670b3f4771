/**
 * A queue in memory with what the real one and its event source mapping do: visibility, receive
 * counts, a dead-letter queue, bounded concurrency, a time-out for each invocation. On a clock of
 * its own, which goes on when everybody waits.
 */
import type { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";

/** Time that passes only where all that runs is waiting for it. */
export class SimulatedClock {
  nowMs: number;
  #waits: { readonly at: number; readonly wake: () => void }[] = [];
  /**
   * Invocations under way that aren't waiting for the clock: while there are any, no time passes.
   */
  busy = 0;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  at(at: number, wake: () => void): () => void {
    const wait = { at, wake };
    this.#waits.push(wait);
    return () => {
      this.#waits = this.#waits.filter((one) => one !== wait);
    };
  }

  /** Within an invocation: waits, without being busy; ends early where `signal` is aborted. */
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.busy -= 1;
    await new Promise<void>((resolve) => {
      const cancel = this.at(this.nowMs + ms, resolve);
      signal?.addEventListener("abort", () => {
        cancel();
        resolve();
      });
    });
    this.busy += 1;
  }

  async runUntil(endMs: number): Promise<void> {
    for (;;) {
      do await new Promise((resolve) => void setImmediate(resolve));
      while (this.busy > 0);
      const next = this.#waits.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > endMs) break;
      this.#waits = this.#waits.filter((one) => one !== next);
      this.nowMs = Math.max(this.nowMs, next.at);
      next.wake();
    }
    this.nowMs = endMs;
  }
}

export interface SimulatedMessage {
  readonly messageId: string;
  readonly body: string;
  readonly sentMs: number;
  receives: number;
}

export interface QueueSettings {
  readonly visibilityMs: number;
  readonly maxReceiveCount: number;
  readonly maximumConcurrency: number;
  readonly timeoutMs: number;
}

interface Invoked {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

export class SimulatedQueue {
  readonly dead: SimulatedMessage[] = [];
  /** Invocations that came to an end, and those that were killed at their time-out. */
  readonly ended = { done: 0, failed: 0, killed: 0 };
  mostAtOnce = 0;
  /** Whether the mapping takes messages. */
  enabled = true;
  readonly #visible: SimulatedMessage[] = [];
  readonly #clock: SimulatedClock;
  readonly #settings: QueueSettings;
  readonly #handler: (
    event: object,
    remainingMs: () => number,
    signal: AbortSignal,
  ) => Promise<Invoked>;
  #running = 0;
  #serial = 0;

  constructor(
    clock: SimulatedClock,
    settings: QueueSettings,
    handler: (event: object, remainingMs: () => number, signal: AbortSignal) => Promise<Invoked>,
  ) {
    this.#clock = clock;
    this.#settings = settings;
    this.#handler = handler;
  }

  /** As an SDK's client that sends batches. */
  client(): Pick<SQSClient, "send"> {
    const send = async (command: SendMessageBatchCommand): Promise<object> => {
      const entries = command.input.Entries ?? [];
      for (const { MessageBody = "" } of entries) this.put(MessageBody);
      return { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] };
    };
    return { send: send as unknown as SQSClient["send"] };
  }

  put(body: string): void {
    this.#serial += 1;
    this.#visible.push({
      messageId: `m${this.#serial}`,
      body,
      sentMs: this.#clock.nowMs,
      receives: 0,
    });
    this.poll();
  }

  waiting(): number {
    return this.#visible.length;
  }

  poll(): void {
    while (this.enabled && this.#running < this.#settings.maximumConcurrency) {
      const message = this.#visible.shift();
      if (message === undefined) return;
      if (message.receives >= this.#settings.maxReceiveCount) this.dead.push(message);
      else void this.#invoke(message);
    }
  }

  async #invoke(message: SimulatedMessage): Promise<void> {
    const { visibilityMs, timeoutMs } = this.#settings;
    message.receives += 1;
    const begunMs = this.#clock.nowMs;
    this.#running += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#running);
    let [deleted, over] = [false, false];
    const stop = (): void => {
      if (over) return;
      over = true;
      this.#running -= 1;
      this.poll();
    };
    this.#clock.at(begunMs + visibilityMs, () => {
      if (deleted) return;
      this.#visible.push(message);
      this.poll();
    });
    const timer = this.#clock.at(begunMs + timeoutMs, () => {
      this.ended.killed += 1;
      stop();
    });
    this.#clock.busy += 1;
    const attributes = {
      ApproximateReceiveCount: String(message.receives),
      SentTimestamp: String(message.sentMs),
    };
    const event = {
      Records: [
        { messageId: message.messageId, body: message.body, attributes, eventSource: "aws:sqs" },
      ],
    };
    const warned = new AbortController();
    const warn = this.#clock.at(begunMs + timeoutMs - 20_000, () => warned.abort());
    try {
      const { batchItemFailures } = await this.#handler(
        event,
        () => begunMs + timeoutMs - this.#clock.nowMs,
        warned.signal,
      );
      deleted = !over && batchItemFailures.length === 0;
      if (!over) this.ended[deleted ? "done" : "failed"] += 1;
    } finally {
      this.#clock.busy -= 1;
      timer();
      warn();
      stop();
    }
  }
}
