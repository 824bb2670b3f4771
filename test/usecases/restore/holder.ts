/**
 * A process that takes a cluster's lease in a folder of states, says so, and holds it until it is
 * killed.
 */
import { createFileStates } from "../../../lib/adapters/file/stores.ts";
import { createProcessTable } from "../../../lib/adapters/file/system.ts";
import { realTimer } from "../../../lib/adapters/timer.ts";
import { withLease } from "../../../lib/usecases/restore/lease.ts";

await withLease(
  "prod",
  {
    states: createFileStates(process.argv[2] ?? ""),
    clock: { nowMs: () => Date.now() },
    timer: realTimer,
    holder: "victim",
    processes: createProcessTable(),
  },
  () => undefined,
  async () => {
    process.stdout.write("held\n");
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  },
);
