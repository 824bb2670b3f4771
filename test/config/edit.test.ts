/** A cluster taken out of certkeep.yaml, since a registration takes its place. */
import { describe, expect, it } from "vitest";
import { removeCluster } from "../../lib/config/edit.ts";

describe("taking a cluster out", () => {
  const TEXT =
    "# ours\nrecipients: []\nclusters:\n  - name: a # mine\n    context: x\n" +
    "    namespaces: [shop]\n  - name: b\n    kubeconfig: k\n    selector: team=web\n# end\n" +
    "backups: {perDay: 3}\n";

  it("leaves the rest as it is, and gives what the entry says besides where the cluster is", () => {
    const first = removeCluster(TEXT, "a");
    expect(first).toEqual({
      text: TEXT.replace(/ {2}- name: a[^]*?(?= {2}- name: b)/, ""),
      settings: "namespaces:\n  - shop\n",
    });
    expect(removeCluster(TEXT, "b")?.settings).toBe("selector: team=web\n");
    const last = removeCluster(first?.text ?? "", "b");
    expect(last?.text).toBe("# ours\nrecipients: []\n# end\nbackups: {perDay: 3}\n");
  });

  it("is refused where it can't be done safely", () => {
    expect(removeCluster(TEXT, "c")).toBeNull();
    expect(removeCluster("clusters: [{name: a, context: x}]\n", "a")).toBeNull();
    expect(removeCluster("clusters: 3\n", "a")).toBeNull();
  });
});
