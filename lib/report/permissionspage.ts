/** docs/permissions.md, from the table of capabilities. Pure. */
import { CAPABILITIES, PARTS, type Bearer, type Capability, type Reach } from "../rbac/table.ts";
import { PART_TITLES, withoutText } from "./phrases/permissions.ts";

const WHERE: Readonly<Record<Reach, string>> = {
  "kube-system": "that one namespace",
  self: "the namespace itself, by its name",
  namespaces: "each namespace",
  names: "the named Secrets",
  cluster: "the whole cluster",
};

function bearerText(bearers: readonly Bearer[]): string {
  return bearers.length === 2 ? "both" : bearers[0] === "read" ? "reading" : "restoring";
}

function row(capability: Capability): string {
  const { verbs, group, resource, reach, bearers } = capability;
  return (
    `| ${verbs.map((verb) => `\`${verb}\``).join(", ")} | ` +
    `\`${resource}${group === "" ? "" : `.${group}`}\` | ${WHERE[reach]} | ` +
    `${bearerText(bearers)} | ${withoutText(capability)} |`
  );
}

/** The whole page. */
export function permissionsPage(): string {
  const parts = (["identity", ...PARTS] as const).map((part) =>
    [
      `### ${part}`,
      "",
      `${PART_TITLES[part].slice(0, 1).toUpperCase()}${PART_TITLES[part].slice(1)}.${part === "identity" ? " Every registration has it." : ""}`,
      "",
      "| verbs | on | where | credential | without it |",
      "|---|---|---|---|---|",
      ...CAPABILITIES.filter((capability) => capability.part === part).map(row),
      "",
    ].join("\n"),
  );
  return `# Permissions

<!-- Printed by \`npm run docs\` from lib/rbac/table.ts and lib/report/phrases/permissions.ts; a test compares the two. -->

What certkeep asks of a cluster, in parts that can be had apart. \`certkeep clusters add NAME --parts …\` makes RBAC from
this table, \`--print\` shows it, and \`certkeep doctor\` asks the server about each line: what is missing and what is too
much.

There are two credentials, stored apart. The **reading** one is what an audit has: no verb of it changes anything in
the cluster (an access review is created and stores nothing). The **restoring** one is used by \`certkeep restore\` alone.

A first registration has the parts \`secrets\`, \`parents\` and \`diagnosis\`. With \`--secret\` and without \`--namespace\` it
has \`named\` in place of \`secrets\`: nothing is listed. Kubernetes can't narrow \`list\` and \`get\` on Secrets to those that
hold certificates, so the part \`secrets\` also reads whatever else lies in those namespaces; registering lists it.

${parts.join("\n")}
## More than that

A credential that can do more is refused, with the verbs, unless \`--allow-broad\` accepts it. What everybody in the
cluster may do isn't counted: it is measured by asking as nobody in particular, where the administrator may
impersonate. Verbs that change something, and reading Secrets, shells or other identities elsewhere, are what doctor
fails on; other rights to read are a warning.
`;
}
