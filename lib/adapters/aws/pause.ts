/** Waits a random part of a doubling time, so that many who were told to come again don't come together. */
import { setTimeout as sleep } from "node:timers/promises";

const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/** `attempt`: from 0. */
export async function pause(attempt: number): Promise<void> {
  await sleep(Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt));
}
