/**
 * The commented `certkeep.yaml` that `certkeep init` writes: every setting with a sentence, and
 * what isn't used as an example. Lines that begin with `# ` explain; `#` right before a word is a
 * setting switched off.
 */

export interface TemplateCluster {
  readonly name: string;
  readonly context: string;
}

export interface TemplateValues {
  readonly recipients: readonly string[];
  /** A reference such as `file:~/…`, or `null` to leave it out. */
  readonly identity: string | null;
  readonly clusters: readonly TemplateCluster[];
  /** Path of the JSON Schema for editors, or `null` where none lies near. */
  readonly schemaPath: string | null;
}

/** A text as a YAML scalar on one line, plain where nobody could read it as something else. */
export function yamlText(text: string): string {
  const plain =
    /^[A-Za-z][A-Za-z0-9._/@~-]*(:[A-Za-z0-9._/@~-]+)*$/.test(text) &&
    !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text);
  if (plain) return text;
  return JSON.stringify(text).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const CLUSTER_EXAMPLES = `    # The kubeconfig file, relative to this file. Without it: what kubectl would take.
    #kubeconfig: ~/.kube/config
    # Namespaces to audit, by name or pattern. Without it: all that the credential may see.
    #namespaces: [tailscale, "shop-*"]
    # Narrows generic TLS Secrets by their labels. The Tailscale operator's are always looked at.
    #selector: "team=web"
    # Secrets read by their name, besides what is found. A CA's key is taken only from a Secret named here.
    #secrets: [shop/web-tls]
    # false: no Secret is looked for; those under secrets: alone are read.
    #discover: true
    # The kubeconfig of the credential that restores. Without it: the one above.
    #restoreKubeconfig: ~/prod-restore.kubeconfig
    # Amazon EKS by IAM: no credential is stored; the kubeconfig gives server and authority.
    #eks: {cluster: prod, region: eu-west-1, role: "arn:aws:iam::123456789012:role/certkeep-prod-read"}
    # Where the Tailscale operator is installed, if not in namespace tailscale with the Secret operator.
    #operator: {namespace: tailscale, secret: operator}
    # Who can open this cluster's copies, instead of the recipients above.
    #recipients: [age1…]
`;

const REST = `# Where backups, and the record of what was seen, are kept. Without it: your data folder.
#stores:
  #backups: file:~/certkeep/backups
  #state: file:~/certkeep/state
  # Both may lie on AWS: s3://BUCKET/backups, s3://BUCKET/state, or secretsmanager://certkeep/prod/backups.
  # Where clusters are registered, if not in clusters/ beside this file.
  #registry: secretsmanager://certkeep/prod

# The functions on AWS (certkeep init --aws), for whoever works with them from outside.
#aws:
  #region: eu-west-1
  #stage: prod
  #topic: "arn:aws:sns:eu-west-1:123456789012:certkeep-prod-alarms"
  #restoreFunction: certkeep-prod-restore

# Pairs of clusters that the deployed function may restore across.
#restores:
  #- from: prod
    #to: prod-standby

# CAs of your own, whose certificates are judged and backed up as Let's Encrypt's are.
#issuers:
  #- id: corp
    #title: Example Corp internal CA
    # Root certificates: a PEM file, relative to this one, or the PEM text itself after "|".
    #anchors: corp-roots.pem
    # Intermediates, so that a missing one is told as such.
    #intermediates: corp-intermediates.pem
    # production, or staging: nothing of it is critical.
    #kind: production
    # Its ACME directory, asked for suggested renewal times where sources: says so.
    #directory: https://acme.corp.example/directory
    # How many certificates it issues. Without it no budget is told for it.
    #limits: {perSet: {count: 5, hours: 168}, perDomain: {count: 50, hours: 168}}

# Limits that an issuer raised for you, for one domain (a tailnet) or one set of names.
#limits:
  #- domain: tail1a2b3.ts.net
    #count: 300
    #hours: 168

# New copies a day and cluster. More are left for the next day, and told as backup_quota.
#backups:
  #perDay: 1000

# What is asked of others than your clusters. Nothing is asked that isn't switched on here.
#sources:
  # Cert Spotter, which searches the public certificate logs: certificates that no Secret shows count as well.
  # It learns the domains. Instead of true also: {token: "env:CERTSPOTTER_TOKEN", domains: [tail1a2b3.ts.net]}
  #transparency: true
  # The issuer, when each certificate should be renewed: notices a renewal that it forces.
  #renewalInfo: true
  # The issuer's revocation lists, also in audits; a restore asks them anyway.
  #revocation: true

# The digest in Slack: what changed and what needs action. What is critical is posted at once, the rest once a
# day from this time (UTC) on, and once a week even if nothing changed.
#digest:
  #at: "08:00"
  #weekday: monday
  #routes:
    #- name: ops
      # Where the webhook's URL is: env:NAME, file:PATH or secretsmanager://NAME, never the URL itself.
      #webhook: env:CERTKEEP_SLACK_WEBHOOK
      # Clusters and the least severity that this route is told of. Without them: all.
      #clusters: ["prod-*"]
      #severity: warning

# Findings that are not told. Each entry needs a reason, and one at least of cluster, namespace, name and
# code; "*" stands for any characters. Every report says how many are ignored.
#ignore:
  #- cluster: prod
    #namespace: shop
    #name: legacy-*
    #code: expiring
    #reason: moves to the new gateway in autumn
    # The last day on which it is ignored, in UTC.
    #until: 2026-12-31
`;

/** Text of the file. It parses to exactly `values` over the defaults. */
export function renderConfig(values: TemplateValues): string {
  const { recipients, identity, clusters, schemaPath } = values;
  const list = (items: readonly string[]): string =>
    items.map((item) => `  - ${yamlText(item)}\n`).join("");
  const schemaLine = schemaPath === null ? "" : `# yaml-language-server: $schema=${schemaPath}\n`;
  return `${schemaLine}# certkeep: what is audited, who can open the copies, and what is left out. Every setting may be left out.
# A line that begins with "# " explains. To use a setting that is switched off, take away the "#" before it
# and before the line of the section that it belongs to.

# Who can open the backups: age recipients, which are public. Without any, nothing is backed up.
${recipients.length === 0 ? "#recipients: [age1…]\n" : `recipients:\n${list(recipients)}`}
# Where the identity is that opens the copies: file:PATH, env:NAME or secretsmanager://NAME, never the
# identity itself. An audit never reads it; a restore does.
${identity === null ? "#identity: file:~/.config/certkeep/identity.txt" : `identity: ${yamlText(identity)}`}

# The clusters to audit, each with a name of yours and a context of the kubeconfig. Without any: the current
# context of your kubeconfig.
${clusters.length === 0 ? `#clusters:\n  #- name: prod\n    #context: prod-admin\n${CLUSTER_EXAMPLES}` : `clusters:\n${clusters.map(entryText).join("")}`}
${REST}`;
}

/** The examples stand at the first cluster only. */
function entryText(cluster: TemplateCluster, index: number): string {
  return (
    `  - name: ${yamlText(cluster.name)}\n` +
    `    context: ${yamlText(cluster.context)}\n` +
    `${index === 0 ? CLUSTER_EXAMPLES : ""}`
  );
}
