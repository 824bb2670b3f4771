/** Waiting in real time. */
import { setTimeout as pause } from "node:timers/promises";
import type { Timer } from "../ports/runtime.ts";

export const realTimer: Timer = {
  // A wait that is cut short is no error.
  sleep: (ms, signal) => pause(ms, undefined, { signal }).catch(() => {}),
};
