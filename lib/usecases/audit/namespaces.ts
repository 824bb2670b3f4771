/**
 * The uid of each namespace that holds something recorded, asked for once: by it a loss is later
 * told from a namespace made anew.
 */
import pLimit from "p-limit";
import { isCertkeepError } from "../../error.ts";
import type { ClusterReader } from "../../ports/cluster.ts";
import type { StateDocument } from "../../state/document.ts";
import { standingSecrets } from "../../state/secrets.ts";

const ASKS_AT_ONCE = 16;

/**
 * Those that `state` lacks, asked of the cluster and recorded there. What isn't answered is asked
 * next time.
 */
export async function learnNamespaces(
  state: StateDocument,
  reader: Pick<ClusterReader, "presence">,
): Promise<void> {
  const { namespaces } = state;
  const names = new Set(
    [...standingSecrets(state)]
      .filter(({ record }) => Object.keys(record.certificates).length > 0)
      .map(({ namespace }) => namespace),
  );
  const limit = pLimit(ASKS_AT_ONCE);
  await Promise.all(
    [...names]
      .filter((name) => !Object.hasOwn(namespaces, name))
      .map((name) =>
        limit(async () => {
          try {
            const there = await reader.presence({
              apiVersion: "v1",
              kind: "Namespace",
              namespace: null,
              name,
            });
            if (there.state === "present") namespaces[name] = there.uid;
          } catch (error) {
            if (!isCertkeepError(error)) throw error;
          }
        }),
      ),
  );
}
