export interface PostedMessage {
  /** For notifications, and for clients that show no blocks. */
  readonly text: string;
  readonly blocks: readonly unknown[];
}

export type PostResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /**
       * `revoked`: this address takes nothing any more. `refused`: it doesn't take this message.
       * `busy`: later. `failed`: no answer, or a server error. `foreign`: somebody else answered,
       * such as a proxy.
       */
      readonly how: "revoked" | "refused" | "busy" | "failed" | "foreign";
      /**
       * The other side's word, such as `no_service`, or ours, such as `timeout`; `[a-z0-9_]` only.
       */
      readonly code: string;
      /**
       * How long to wait before the next try at least, in milliseconds; 0 where nothing was said.
       */
      readonly retryInMs: number;
    };

/**
 * Posting a message to people. The address is a credential: no answer, error or log holds it.
 *
 * Contract: `ok` means that the other side's own success answer was read. `post` never throws for
 * what the other side or the network does; it waits and tries again by itself only within the time
 * it was given.
 */
export interface Poster {
  post(message: PostedMessage, signal?: AbortSignal): Promise<PostResult>;
}
