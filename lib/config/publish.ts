/**
 * The packaged `certkeep.yaml` as it is published beside the states, for whoever has access to the
 * deployment and none of its files: with the stores of the deployment filled in, anchors in place
 * of the paths of their files, and without what only one machine can follow. Comments stay. Pure.
 */
import { isMap, parseDocument } from "yaml";
import type { AwsSettings, Config } from "./schema.ts";

export interface Published {
  readonly text: string;
  /** Settings that were left out, each as it is named in the file. */
  readonly leftOut: readonly string[];
}

/**
 * `text` is the packaged file's, which `config` came from: with anchors read, and with what the
 * environment says. `null`: it isn't a map of settings.
 */
export function publishedConfig(
  text: string,
  config: Pick<Config, "stores" | "issuers" | "digest">,
  aws: AwsSettings | null,
): Published | null {
  const document = parseDocument(text.trim() === "" ? "{}\n" : text, {
    prettyErrors: false,
    logLevel: "silent",
  });
  if (document.errors.length > 0) return null;
  if (document.contents === null)
    document.contents = document.createNode({}) as unknown as typeof document.contents;
  if (!isMap(document.contents)) return null;
  document.contents.flow = false;
  const leftOut: string[] = [];
  const given = <T extends object>(settings: T): Partial<T> =>
    Object.fromEntries(
      Object.entries(settings).filter(([, value]) => value !== null),
    ) as Partial<T>;
  const put = (path: readonly (string | number)[], value: unknown): void =>
    document.setIn(path, document.createNode(value));
  const drop = (name: string, path: readonly (string | number)[] = [name]): void => {
    if (!document.hasIn(path)) return;
    document.deleteIn(path);
    leftOut.push(name);
  };
  put(["stores"], given(config.stores));
  if (aws !== null) put(["aws"], given(aws));
  config.issuers.forEach(({ anchors, intermediates }, index) => {
    if (anchors.kind === "pem") put(["issuers", index, "anchors"], anchors.pem);
    if (intermediates?.kind === "pem") put(["issuers", index, "intermediates"], intermediates.pem);
  });
  // Kubeconfigs and the identity lie with a person; who reads this has others, or none.
  drop("clusters");
  const identity: unknown = document.get("identity");
  if (typeof identity === "string" && /^file:(?!\/|~\/)/.test(identity)) drop("identity");
  for (let index = config.digest.routes.length - 1; index >= 0; index -= 1) {
    const webhook: unknown = document.getIn(["digest", "routes", index, "webhook"]);
    if (typeof webhook === "string" && webhook.startsWith("file:"))
      drop(`digest.routes[${index}]`, ["digest", "routes", index]);
  }
  return { text: document.toString({ lineWidth: 0 }), leftOut: leftOut.toSorted() };
}
