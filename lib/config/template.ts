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

const CLUSTER_EXAMPLES = `    # Kubeconfig, relative to this file. Default: the one that kubectl uses.
    #kubeconfig: ~/.kube/config
    # Namespaces to audit, by name or pattern. Default: all that the credential may list.
    #namespaces: [tailscale, "shop-*"]
    # Audit only generic TLS Secrets with these labels. The Tailscale operator's are always audited.
    #selector: "team=web"
    # More Secrets to read, by name. A CA's key is backed up only from a Secret listed here.
    #secrets: [shop/web-tls]
    # false: list nothing, and read only the Secrets under secrets:.
    #discover: true
    # Kubeconfig of the credential that restores. Default: the one above.
    #restoreKubeconfig: ~/prod-restore.kubeconfig
    # Amazon EKS with IAM: no credential is stored; the kubeconfig gives server and CA.
    #eks: {cluster: prod, region: eu-west-1, role: "arn:aws:iam::123456789012:role/certkeep-prod-read"}
    # The Tailscale operator's Secret, if it isn't tailscale/operator.
    #operator: {namespace: tailscale, secret: operator}
    # Who can decrypt this cluster's backups, instead of the recipients above.
    #recipients: [age1…]
`;

const REST = `# Where backups and states are stored. Default: your data folder.
#stores:
  #backups: file:~/certkeep/backups
  #state: file:~/certkeep/state
  # On AWS: s3://BUCKET/backups or secretsmanager://certkeep/prod/backups, and s3://BUCKET/state.
  # Where clusters are registered. Default: clusters/ beside this file.
  #registry: secretsmanager://certkeep/prod

# The functions on AWS (certkeep init --aws writes this).
#aws:
  #region: eu-west-1
  #stage: prod
  #topic: "arn:aws:sns:eu-west-1:123456789012:certkeep-prod-alarms"
  #restoreFunction: certkeep-prod-restore

# Pairs of clusters between which the function on AWS may restore.
#restores:
  #- from: prod
    #to: prod-standby

# Your own CAs. Their certificates are audited and backed up like Let's Encrypt's.
#issuers:
  #- id: corp
    #title: Example Corp internal CA
    # Root certificates: a PEM file, relative to this file, or PEM text after "|".
    #anchors: corp-roots.pem
    # Intermediates, so that a missing one is recognized.
    #intermediates: corp-intermediates.pem
    # production or staging. Nothing from a staging CA is critical.
    #kind: production
    # Its ACME directory, for renewal times (sources: renewalInfo).
    #directory: https://acme.corp.example/directory
    # Its rate limits. Default: none are shown.
    #limits: {perSet: {count: 5, hours: 168}, perDomain: {count: 50, hours: 168}}

# Rate limits that an issuer raised for you, for one domain (a tailnet) or one set of names.
#limits:
  #- domain: tail1a2b3.ts.net
    #count: 300
    #hours: 168

# New backups per day and cluster. The rest waits for the next day (finding backup_quota).
#backups:
  #perDay: 1000

# Services outside your clusters. Each is off by default.
#sources:
  # Cert Spotter searches public certificate logs, so certificates that are in no Secret count too.
  # It learns the domains. Or: {token: "env:CERTSPOTTER_TOKEN", domains: [tail1a2b3.ts.net]}
  #transparency: true
  # Ask the issuer when each certificate should be renewed, to notice forced renewals.
  #renewalInfo: true
  # Read the issuer's revocation lists in audits too. A restore always reads them.
  #revocation: true

# Slack digest. Critical findings are posted at once, other changes once a day from this time (UTC) on,
# and a summary once a week.
#digest:
  #at: "08:00"
  #weekday: monday
  #routes:
    #- name: ops
      # A reference to the webhook's URL: env:NAME, file:PATH or secretsmanager://NAME, never the URL itself.
      #webhook: env:CERTKEEP_SLACK_WEBHOOK
      # Only these clusters, and only findings at least this severe. Default: all.
      #clusters: ["prod-*"]
      #severity: warning

# Findings to mute. Each entry needs a reason and at least one of cluster, namespace, name and code;
# "*" matches any characters. Every report counts muted findings.
#ignore:
  #- cluster: prod
    #namespace: shop
    #name: legacy-*
    #code: expiring
    #reason: moves to the new gateway in autumn
    # The last day on which it is muted, in UTC.
    #until: 2026-12-31
`;

/** Text of the file. It parses to exactly `values` over the defaults. */
export function renderConfig(values: TemplateValues): string {
  const { recipients, identity, clusters, schemaPath } = values;
  const list = (items: readonly string[]): string =>
    items.map((item) => `  - ${yamlText(item)}\n`).join("");
  const schemaLine = schemaPath === null ? "" : `# yaml-language-server: $schema=${schemaPath}\n`;
  return `${schemaLine}# Configuration of certkeep. Every setting is optional. A line that begins with "# " is a comment. To enable
# a setting, remove the "#" before it and before the name of its section.
# After an edit, certkeep asks you to approve this file: read the change first.

# Who can decrypt the backups: age recipients (public keys). Without any, nothing is backed up.
${recipients.length === 0 ? "#recipients: [age1…]\n" : `recipients:\n${list(recipients)}`}
# A reference to the identity (private key) that decrypts backups: file:PATH, env:NAME or
# secretsmanager://NAME, never the identity itself. Restores and drills use it; audits never do.
${identity === null ? "#identity: file:~/.config/certkeep/identity.txt" : `identity: ${yamlText(identity)}`}

# Clusters to audit: a name of your choice and a context of the kubeconfig. Default: the current context.
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
