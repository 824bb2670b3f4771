import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_CONFIG } from "../../lib/config/schema.ts";
import { parseConfig, parseRegistration } from "../../lib/config/parse.ts";
import { problemLine, type Problem } from "../../lib/config/problem.ts";
import { MAX_BYTES } from "../../lib/config/yaml.ts";

const RECIPIENT = "age1z2lrvsqly5snu93xzzlcwqvatvcct8znj5plhq5mh6k0nvs8usyqfrwzcx";

function problemsOf(text: string | Uint8Array): readonly Problem[] {
  const result = parseConfig(text, "certkeep.yaml");
  return result.ok ? [] : result.problems;
}

const PEM = "-----BEGIN CERTIFICATE-----\n    MIIB\n    -----END CERTIFICATE-----";

describe("what is taken", () => {
  it("takes every setting", () => {
    const result = parseConfig(
      `recipients: [${RECIPIENT}]
identity: file:~/id.txt
clusters:
  - name: prod
    kubeconfig: ~/.kube/config
    context: prod-admin
    namespaces: [tailscale, "shop-*"]
    selector: "team=web"
    secrets: [shop/web-tls]
    operator: {namespace: ts}
    recipients: [${RECIPIENT}]
  - name: staging
stores:
  backups: file:/var/certkeep/backups
  state: s3://audits.example/certkeep/state
  registry: secretsmanager://certkeep/prod
aws: {region: eu-west-1, stage: prod, topic: "arn:aws:sns:eu-west-1:123456789012:alarms", restoreFunction: certkeep-prod-restore}
restores:
  - {from: prod, to: staging}
issuers:
  - id: corp
    title: Corp
    anchors: corp.pem
    intermediates: between.pem
    kind: staging
    directory: https://acme.corp.example/directory
    limits: {perSet: {count: 7, hours: 24}}
  - id: inline
    anchors: |
    ${PEM}
limits:
  - {domain: Tail1a2b3.ts.net, count: 300}
  - {issuer: corp, names: [a.example.com, b.example.com], count: 3, hours: 1.5}
backups: {perDay: 5}
sources: {transparency: {url: "https://logs.example/v1", token: "env:TOKEN", domains: [Tail1a2b3.ts.net, tail1a2b3.ts.net]}, renewalInfo: true, revocation: true}
ignore:
  - {cluster: prod, namespace: shop, name: legacy-*, code: expiring, reason: "moves", until: 2026-12-31}
  - {name: x.example.com, reason: y, until: "2026-12-31T12:00:00.5+02:00"}
`
        .replace("    -----BEGIN", "      -----BEGIN")
        .replaceAll("\n    MIIB\n    -----END", "\n      MIIB\n      -----END"),
      "certkeep.yaml",
    );
    expect(result).toEqual({
      ok: true,
      config: {
        recipients: [RECIPIENT],
        identity: "file:~/id.txt",
        clusters: [
          {
            name: "prod",
            kubeconfig: "~/.kube/config",
            context: "prod-admin",
            namespaces: ["tailscale", "shop-*"],
            selector: "team=web",
            secrets: [{ namespace: "shop", name: "web-tls" }],
            operator: { namespace: "ts", secret: "operator" },
            recipients: [RECIPIENT],
            restoreKubeconfig: null,
            eks: null,
            access: null,
          },
          {
            name: "staging",
            kubeconfig: null,
            context: null,
            namespaces: null,
            selector: null,
            secrets: [],
            operator: null,
            recipients: null,
            restoreKubeconfig: null,
            eks: null,
            access: null,
          },
        ],
        stores: {
          backups: "file:/var/certkeep/backups",
          state: "s3://audits.example/certkeep/state",
          registry: "secretsmanager://certkeep/prod",
        },
        aws: {
          region: "eu-west-1",
          stage: "prod",
          topic: "arn:aws:sns:eu-west-1:123456789012:alarms",
          restoreFunction: "certkeep-prod-restore",
        },
        restores: [{ from: "prod", to: "staging" }],
        issuers: [
          {
            id: "corp",
            title: "Corp",
            anchors: { kind: "file", path: "corp.pem" },
            intermediates: { kind: "file", path: "between.pem" },
            kind: "staging",
            directory: "https://acme.corp.example/directory",
            limits: { perSet: { count: 7, hours: 24 }, perDomain: null },
          },
          {
            id: "inline",
            title: "inline",
            anchors: {
              kind: "pem",
              pem: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            },
            intermediates: null,
            kind: "production",
            directory: null,
            limits: null,
          },
        ],
        limits: [
          {
            issuer: "letsencrypt",
            scope: { kind: "domain", domain: "tail1a2b3.ts.net" },
            count: 300,
            hours: 168,
          },
          {
            issuer: "corp",
            scope: { kind: "set", names: ["a.example.com", "b.example.com"] },
            count: 3,
            hours: 1.5,
          },
        ],
        backups: { perDay: 5 },
        sources: {
          transparency: {
            url: "https://logs.example/v1",
            token: "env:TOKEN",
            domains: ["tail1a2b3.ts.net"],
          },
          renewalInfo: true,
          revocation: true,
        },
        digest: DEFAULT_CONFIG.digest,
        ignore: [
          // The last day counts: it ends when the next one begins.
          {
            cluster: "prod",
            namespace: "shop",
            name: "legacy-*",
            code: "expiring",
            reason: "moves",
            until: "2026-12-31",
            untilMs: 1_798_761_600_000,
          },
          {
            name: "x.example.com",
            reason: "y",
            until: "2026-12-31T12:00:00.5+02:00",
            untilMs: 1_798_711_200_500,
          },
        ],
      },
    });
  });

  it.each([
    ["an empty file", ""],
    ["comments", "# nothing\n\n# here\n"],
    ["a byte order mark", "\ufeff"],
    ["document marks alone", "---\n...\n"],
    [
      "sections with everything in them switched off",
      "recipients:\n" +
        "clusters:\n" +
        "  #- name: prod\n" +
        "stores:\n" +
        "issuers:\n" +
        "limits:\n" +
        "backups:\n" +
        "sources:\n" +
        "ignore:\n",
    ],
    [
      "sources that say no",
      "sources: {transparency: false, renewalInfo: false, revocation: false}\n",
    ],
  ])("takes %s for the defaults", (_name, text) => {
    expect(parseConfig(text, "certkeep.yaml")).toEqual({ ok: true, config: DEFAULT_CONFIG });
  });

  it("asks certificate logs with the usual settings where it says true, or only some", () => {
    for (const [value, expected] of [
      ["true", { url: null, token: null, domains: null }],
      ["{}", { url: null, token: null, domains: null }],
      ["{domains: [a.example]}", { url: null, token: null, domains: ["a.example"] }],
    ] as const) {
      const result = parseConfig(`sources: {transparency: ${value}}`, "f");
      expect(result.ok && result.config.sources).toEqual({
        transparency: expected,
        renewalInfo: false,
        revocation: false,
      });
    }
  });

  it.each(["info", "information"])("takes %s for the least severity", (severity) => {
    const result = parseConfig(
      `digest: {routes: [{name: ops, webhook: "env:HOOK", severity: ${severity}}]}`,
      "certkeep.yaml",
    );
    expect(result).toMatchObject({
      ok: true,
      config: { digest: { routes: [{ severity: "info" }] } },
    });
  });

  it("says every recipient once", () => {
    const result = parseConfig(`recipients: [${RECIPIENT}, ${RECIPIENT}]`, "f");
    expect(result.ok && result.config.recipients).toEqual([RECIPIENT]);
  });

  it("takes a registration: a cluster without its name", () => {
    const result = parseRegistration(
      "kubeconfig: prod.kubeconfig\nnamespaces: [tailscale]\n",
      "clusters/prod.yaml",
    );
    expect(result.ok && result.entry).toMatchObject({
      kubeconfig: "prod.kubeconfig",
      namespaces: ["tailscale"],
      context: null,
    });
    expect(parseRegistration("", "clusters/prod.yaml").ok).toBe(true);
  });

  it("refuses a registration's mistakes with their place", () => {
    const result = parseRegistration("kubeconfg: x\nname: prod\n", "clusters/prod.yaml");
    expect(
      result.ok
        ? []
        : result.problems.map((problem) => [
            problem.line,
            problem.column,
            problem.path,
            problem.suggestion,
          ]),
    ).toEqual([
      [1, 1, "kubeconfg", 'Did you mean "kubeconfig"?'],
      [2, 1, "name", "The name of the file is the cluster's name"],
    ]);
  });
});

/**
 * Text, and of each problem: line, column, path, part of what is wrong, part of what to do,
 * suggestion.
 */
type Expected = readonly [
  line: number,
  column: number,
  path: string,
  found: string,
  todo: string,
  suggestion?: string | null,
];
type Case = readonly [name: string, text: string, ...problems: Expected[]];

const MISTAKES: Case[] = [
  [
    "a word for a switch",
    "sources: {revocation: yes please}\n",
    [1, 23, "sources.revocation", '"yes please"', "true, false"],
  ],
  [
    "a misspelt source",
    "sources:\n  transparancy: true\n",
    [
      2,
      3,
      "sources.transparancy",
      "isn't a setting",
      "Use one of transparency, renewalInfo, revocation",
      'Did you mean "transparency"?',
    ],
  ],
  [
    "a token where a reference is meant",
    "sources:\n  transparency:\n    token: k1234_abcdef\n",
    [3, 12, "sources.transparency.token", "isn't shown", "never the token itself"],
  ],
  [
    "a token for the whole source",
    "sources:\n  transparency: k1234_abcdef\n",
    [2, 17, "sources.transparency", "isn't shown", "the settings url, token and domains"],
  ],
  [
    "a misspelt setting of a source",
    "sources:\n  transparency:\n    domain: [a.example]\n",
    [
      3,
      5,
      "sources.transparency.domain",
      "isn't a setting",
      "Use one of url, token, domains",
      'Did you mean "domains"?',
    ],
  ],
  [
    "a source over http",
    "sources: {transparency: {url: http://logs.example}}\n",
    [1, 31, "sources.transparency.url", '"http://logs.example"', "begins with https://"],
  ],
  [
    "a source with a user",
    'sources: {transparency: {url: "https://u:p@logs.example"}}\n',
    [1, 31, "sources.transparency.url", "a text of", "without a user"],
  ],
  [
    "a domain that is none",
    "sources: {transparency: {domains: [localhost]}}\n",
    [1, 36, "sources.transparency.domains[0]", '"localhost"', "a domain"],
  ],
  [
    "a directory over http",
    'issuers: [{id: a, anchors: x.pem, directory: "http://a.example/dir"}]\n',
    [1, 46, "issuers[0].directory", '"http://a.example/dir"', "begins with https://"],
  ],
  [
    "a misspelt key",
    "recipents: []\n",
    [
      1,
      1,
      "recipents",
      "recipents isn't a setting",
      "Use one of recipients, identity, clusters",
      'Did you mean "recipients"?',
    ],
  ],
  [
    "a singular",
    "clusters:\n  - name: prod\n    namespace: x\n",
    [
      3,
      5,
      "clusters[0].namespace",
      "isn't a setting",
      "Use one of name, kubeconfig",
      'Did you mean "namespaces"?',
    ],
  ],
  [
    "another way of writing a key",
    "backups: {per-day: 3}\n",
    [1, 11, "backups.per-day", "isn't a setting", "Use one of perDay", 'Did you mean "perDay"?'],
  ],
  ["a key nobody knows", "colour: red\n", [1, 1, "colour", "isn't a setting", "Use one of", null]],
  [
    "a key on the wrong level",
    "perDay: 3\n",
    [1, 1, "perDay", "isn't a setting", "Use one of", '"perDay" belongs under backups:'],
  ],
  [
    "a section on the wrong level",
    "clusters:\n  - name: prod\n    ignore: []\n",
    [
      3,
      5,
      "clusters[0].ignore",
      "isn't a setting",
      "Use one of",
      '"ignore" belongs at the top, without indentation',
    ],
  ],
  [
    "a text instead of settings",
    "just text\n",
    [1, 1, "", '"just text"', "settings, such as recipients:"],
  ],
  ["a list instead of settings", "- a\n", [1, 1, "", "a list", "settings, such as recipients:"]],
  [
    "one recipient instead of a list",
    `recipients: ${RECIPIENT}\n`,
    [1, 13, "recipients", `"${RECIPIENT}"`, "a list of age recipients"],
  ],
  [
    "a recipient with a slip",
    `recipients:\n  - ${RECIPIENT.replace("z2l", "z3l")}\n`,
    [2, 5, "recipients[0]", "age1z3", "Its checksum doesn't match"],
  ],
  [
    "something else as a recipient",
    "recipients: [ssh-ed25519]\n",
    [1, 14, "recipients[0]", '"ssh-ed25519"', "an age recipient"],
  ],
  [
    "a cluster without a name",
    "clusters:\n  - context: x\n",
    [2, 5, "clusters[0].name", "is missing", "a cluster's name"],
  ],
  [
    "a name with capitals",
    "clusters:\n  - name: Prod\n",
    [2, 11, "clusters[0].name", '"Prod"', "small letters"],
  ],
  [
    "a name of 64 characters",
    `clusters:\n  - name: ${"a".repeat(64)}\n`,
    [2, 11, "clusters[0].name", "a", "at most 63"],
  ],
  [
    "a name twice",
    "clusters:\n  - name: prod\n  - name: prod\n",
    [3, 11, "clusters[1].name", 'is "prod", and clusters[0] has the same', "its own name"],
  ],
  [
    "an id twice",
    "issuers:\n  - {id: a, anchors: x.pem}\n  - {id: a, anchors: y.pem}\n",
    [3, 10, "issuers[1].id", 'is "a", and issuers[0] has the same', "its own id"],
  ],
  [
    "the id of a built-in issuer",
    "issuers:\n  - {id: letsencrypt, anchors: x.pem}\n",
    [2, 10, "issuers[0].id", '"letsencrypt", which is built in', "another id"],
  ],
  [
    "a number where a text belongs",
    "clusters:\n  - name: a\n    context: 0123\n",
    [
      3,
      14,
      "clusters[0].context",
      "is 0123",
      "the name of a context",
      'To make it a text, put it in quotes: "0123"',
    ],
  ],
  [
    "a truth value where a text belongs",
    "clusters:\n  - name: true\n",
    [
      2,
      11,
      "clusters[0].name",
      "is true",
      "a cluster's name",
      'To make it a text, put it in quotes: "true"',
    ],
  ],
  [
    "nothing where a text belongs",
    "clusters:\n  - name: a\n    context:\n",
    [3, 13, "clusters[0].context", "context is empty", "the name of a context"],
  ],
  [
    "no namespaces at all",
    "clusters:\n  - name: a\n    namespaces: []\n",
    [3, 17, "clusters[0].namespaces", "an empty list", "with at least one item"],
  ],
  [
    "a namespace that can't be",
    "clusters:\n  - name: a\n    namespaces: [b, B_]\n",
    [3, 21, "clusters[0].namespaces[1]", '"B_"', "a namespace or a pattern"],
  ],
  [
    "a selector that isn't one",
    "clusters:\n  - name: a\n    selector: team==web==x\n",
    [3, 15, "clusters[0].selector", '"team==web==x"', "a label selector"],
  ],
  [
    "a Secret without its namespace",
    "clusters:\n  - name: a\n    secrets: [web-tls]\n",
    [3, 15, "clusters[0].secrets[0]", '"web-tls"', "NAMESPACE/NAME"],
  ],
  [
    "an identity itself",
    "identity: AGE-SECRET-KEY-1QQQ\n",
    [
      1,
      11,
      "identity",
      "is a text that isn't shown here",
      "never the identity itself",
      "This is an identity (a private key). Remove it from this file and make a new one, since " +
        "this one is disclosed",
    ],
  ],
  [
    "a store that ends with a slash",
    "stores: {backups: s3://bucket/}\n",
    [
      1,
      19,
      "stores.backups",
      "is a text that isn't shown here",
      "file: and a folder, s3://BUCKET/PREFIX, or secretsmanager://PREFIX",
      "A bucket has 3 to 63 small letters, digits, - and . Don't end the URL with /",
    ],
  ],
  [
    "a bucket in capitals",
    "stores: {state: s3://Bucket/x}\n",
    [
      1,
      17,
      "stores.state",
      "is a text that isn't shown here",
      "file: and a folder, or s3://BUCKET/PREFIX",
    ],
  ],
  [
    "states where they can't be",
    "stores: {state: secretsmanager://certkeep/state}\n",
    [
      1,
      17,
      "stores.state",
      "is a text that isn't shown here",
      "or s3://BUCKET/PREFIX",
      "Secrets Manager can't store states, which change at each audit. Name a bucket",
    ],
  ],
  [
    "a registry in a folder",
    "stores: {registry: file:clusters}\n",
    [
      1,
      20,
      "stores.registry",
      "is a text that isn't shown here",
      "secretsmanager://PREFIX",
      "Without it, registrations are in clusters/ beside this file",
    ],
  ],
  [
    "a registry with an empty part",
    "stores: {registry: secretsmanager://certkeep//prod}\n",
    [
      1,
      20,
      "stores.registry",
      "is a text that isn't shown here",
      "secretsmanager://PREFIX",
      "A prefix consists of letters, digits and /_+=.@-, and doesn't begin or end with /",
    ],
  ],
  [
    "a place that is no region",
    "aws: {region: Ireland}\n",
    [1, 15, "aws.region", '"Ireland"', "an AWS region"],
  ],
  [
    "a stage without a region",
    "aws: {stage: prod}\n",
    [1, 7, "aws.region", "is missing", "an AWS region"],
  ],
  [
    "a topic by its name",
    "aws: {region: eu-west-1, topic: alarms}\n",
    [1, 33, "aws.topic", '"alarms"', "the ARN of an SNS topic"],
  ],
  [
    "a pair of one cluster",
    "restores: [{from: a, to: a}]\n",
    [1, 26, "restores[0].to", '"a"', "another cluster"],
  ],
  [
    "half a pair",
    "restores: [{from: a}]\n",
    [1, 13, "restores[0].to", "is missing", "a cluster's name"],
  ],
  [
    "a store without its scheme",
    "stores: {state: /var/x}\n",
    [1, 17, "stores.state", "isn't shown", "file: and a folder", "Write file: before the folder"],
  ],
  [
    "half a copy a day",
    "backups: {perDay: 1.5}\n",
    [1, 19, "backups.perDay", "is 1.5", "a whole number from 1 to 1000000"],
  ],
  [
    "no copy a day",
    "backups: {perDay: 0}\n",
    [1, 19, "backups.perDay", "is 0", "a whole number from 1"],
  ],
  [
    "no end of copies",
    "backups: {perDay: .inf}\n",
    [1, 19, "backups.perDay", "is .inf", "a whole number from 1"],
  ],
  [
    "a number in quotes",
    'backups: {perDay: "5"}\n',
    [1, 19, "backups.perDay", '"5"', "a whole number"],
  ],
  [
    "an entry without a reason",
    "ignore:\n  - code: expiring\n",
    [2, 5, "ignore[0].reason", "is missing", "the reason"],
  ],
  [
    "a reason that says nothing",
    "ignore:\n  - {code: expiring, reason: ' '}\n",
    [2, 30, "ignore[0].reason", '" "', "the reason"],
  ],
  [
    "an entry that ignores everything",
    "ignore:\n  - reason: x\n",
    [
      2,
      5,
      "ignore[0]",
      "would ignore everything",
      "at least one of cluster, namespace, name and code",
    ],
  ],
  [
    "a code with a slip",
    "ignore:\n  - {code: expirng, reason: x}\n",
    [2, 12, "ignore[0].code", '"expirng"', "the code of a finding", 'Did you mean "expiring"?'],
  ],
  [
    "a day that isn't",
    "ignore:\n  - {code: expiring, reason: x, until: 2026-02-30}\n",
    [2, 40, "ignore[0].until", '"2026-02-30"', "a day such as"],
  ],
  [
    "a private key among anchors",
    "issuers:\n  - id: a\n    anchors: '-----BEGIN PRIVATE KEY-----'\n",
    [3, 14, "issuers[0].anchors", "isn't shown", "take the private key out"],
  ],
  [
    "an issuer without anchors",
    "issuers:\n  - id: a\n",
    [2, 5, "issuers[0].anchors", "is missing", "a PEM file's path"],
  ],
  [
    "the same key twice",
    "identity: file:a\nidentity: file:b\n",
    [2, 1, "identity", "identity is set a second time", "Remove one of the two"],
  ],
  [
    "a tab as indentation",
    "clusters:\n\t- name: a\n",
    [2, 1, "", "indented with a tab", "Use spaces"],
  ],
  [
    "an anchor and an alias",
    "clusters: &a []\nignore: *a\n",
    [1, 14, "clusters", "clusters has an anchor", "Write the value itself"],
    [2, 9, "ignore", "is an alias", "Write the value itself"],
  ],
  [
    "an alias to nothing",
    "clusters: *nowhere\n",
    [1, 11, "clusters", "is an alias", "Write the value itself"],
  ],
  ["a merge key", "<<: {identity: file:a}\n", [1, 1, '"<<"', "isn't a setting", "Use one of"]],
  ["a tag", "identity: !secret x\n", [1, 19, "identity", "identity has a tag", "Remove the tag"]],
  [
    "a second document",
    "identity: file:a\n---\nclusters: []\n",
    [3, 1, "", "a second document begins", "Keep only one"],
  ],
  ["a quote that isn't closed", 'identity: "file:a\n', [2, 1, "", "is missing", "Add it"]],
  ["a bracket that isn't closed", "clusters: [\n", [2, 1, "", "", "indentation"]],
  [
    "a value with a colon in it",
    "identity: file: a: b\n",
    [1, 11, "", "a second `key:`", "quotes"],
  ],
  [
    "a line without a colon",
    "clusters\nidentity: file:a\n",
    [1, 1, "", "the key has no colon", "`key: value`"],
  ],
  ["a key that isn't a word", "? [a]\n: b\n", [1, 3, "", "the key isn't plain text", "a word"]],
  [
    "a key called __proto__",
    "__proto__: {perDay: 1}\n",
    [1, 1, "__proto__", "isn't a setting", "Use one of"],
  ],
  [
    "deep nesting",
    `clusters: ${"[".repeat(200)}\n`,
    [1, 42, "", "nesting of more than 32 levels", "No configuration needs"],
  ],
  [
    "several mistakes at once",
    "recipents: []\nbackups: {perDay: x}\nclusters:\n  - name: A\n",
    [1, 1, "recipents", "", ""],
    [2, 19, "backups.perDay", '"x"', ""],
    [4, 11, "clusters[0].name", '"A"', ""],
  ],
  [
    "a mistake after Windows line ends",
    "identity: file:a\r\nclusers: []\r\n",
    [2, 1, "clusers", "", "", 'Did you mean "clusters"?'],
  ],
  [
    "a mistake after a byte order mark",
    "\ufeffclusers: []\n",
    [1, 1, "clusers", "", "", 'Did you mean "clusters"?'],
  ],
];

describe("what is told", () => {
  it.each(MISTAKES.map(([name, text, ...expected]) => ({ name, text, expected })))(
    "$name",
    ({ text, expected }) => {
      const problems = problemsOf(text);
      expect(problems.map(({ line, column, path }) => [line, column, path])).toEqual(
        expected.map(([line, column, path]) => [line, column, path]),
      );
      expected.forEach(([, , , found, wanted, suggestion], index) => {
        expect(problems[index]?.found).toContain(found);
        expect(problems[index]?.todo).toContain(wanted);
        if (suggestion !== undefined) expect(problems[index]?.suggestion).toBe(suggestion);
      });
    },
  );

  it("says a problem in one line", () => {
    expect(problemsOf("recipents: []\n").map(problemLine)).toEqual([
      "certkeep.yaml:1:1: recipents isn't a setting. Use one of " +
        "recipients, identity, clusters, stores, aws, restores, issuers, limits, backups, " +
        'sources, digest, ignore. Did you mean "recipients"?',
    ]);
  });

  it("tells bytes that aren't UTF-8 with their place", () => {
    const [problem] = problemsOf(
      Buffer.concat([Buffer.from("# größer\nidentity: "), Buffer.from([0xff]), Buffer.from("\n")]),
    );
    expect(problem).toMatchObject({ line: 2, column: 11, found: "the bytes here aren't UTF-8" });
    const [cut] = problemsOf(Buffer.from("# ü").subarray(0, 3));
    expect(cut).toMatchObject({ line: 1, column: 3 });
    expect(problemsOf(Buffer.from("\ufeffidentity: file:a", "utf16le"))[0]?.found).toBe(
      "the file is encoded in UTF-16",
    );
  });

  it("refuses a file that is too large, as bytes and as text", () => {
    expect(problemsOf(Buffer.alloc(MAX_BYTES + 1, "#"))[0]?.todo).toContain("The limit is");
    expect(problemsOf("#".repeat(MAX_BYTES + 1))[0]?.todo).toContain("The limit is");
  });

  it.each([
    ["brackets", "["],
    ["list marks", "- "],
    ["braces", "{a: "],
    ["question marks", "? "],
    ["colons", ": "],
  ])("survives a file of nothing but %s", (_name, piece) => {
    expect(problemsOf(piece.repeat(40_000)).length).toBeGreaterThan(0);
  });

  it("refuses aliases that would unfold into billions, at once", () => {
    const bomb =
      "a: &a [x, x]\n" +
      `${Array.from({ length: 40 }, (_, n) => `k${n}: &k${n} [*${n === 0 ? "a" : `k${n - 1}`}, *${n === 0 ? "a" : `k${n - 1}`}]`).join("\n")}\n`;
    expect(problemsOf(bomb).some((problem) => problem.found.includes(" has an anchor"))).toBe(true);
  });
});

const SECRETS = [
  "AGE-SECRET-KEY-1D4MCPLQEAHNMARAY6LFLLHZ8UG0FSMUHH76G23CVJ4RRJTTEUWSSW9X3KA",
  "https://hooks.slack.com/services/T000/B000/abcdefghijklmnop",
  "s3://AKIA:sEcReT@bucket",
  "eyJhbGciOiJSUzI1NiIsImtpZCI6IkEifQ",
  "0123456789abcdef0123456789abcdef",
];
const SETTINGS = [
  "recipients: [$]",
  "recipients: $",
  "identity: $",
  "clusters:\n  - name: $",
  "clusters: [$]",
  "clusters:\n  - {name: a, context: 1, kubeconfig: [$]}",
  "stores: {backups: $}",
  "stores: $",
  "issuers: [{id: $, anchors: 1}]",
  "issuers: [{id: a, anchors: [$]}]",
  "sources: {transparency: $}",
  "sources: {transparency: {token: $}}",
  "sources: {transparency: {url: $}}",
  "ignore: [{reason: [$]}]",
  "ignore: [{code: $, reason: x}]",
  "ignore: [{until: $, code: expiring, reason: x}]",
  "token: $",
  "$: 1",
  "clusters: !x $",
  "a: &$ b",
  "a: *$",
  "a: [$",
  "$",
];

describe("no secret is shown", () => {
  it.each(SETTINGS)("in %s", (setting) => {
    for (const secret of SECRETS) {
      for (const quoted of [secret, `"${secret}"`, `'${secret}'`]) {
        const told = problemsOf(`${setting.replace("$", quoted)}\n`)
          .map(problemLine)
          .join("\n");
        expect(told).not.toContain(secret);
        expect(told.toLowerCase()).not.toContain(secret.slice(0, 24).toLowerCase());
      }
    }
  });
});

describe("for any text", () => {
  const words = fc.constantFrom(
    "recipients",
    "clusters",
    "name",
    ":",
    " ",
    "\n",
    "- ",
    "  ",
    "[",
    "]",
    "{",
    "}",
    "&a",
    "*a",
    "!x",
    "|",
    ">",
    '"',
    "'",
    "#",
    "---\n",
    "...\n",
    "%",
    "\t",
    "?",
    ",",
    "\u0000",
    "\u2028",
    "\ud800",
    "<<",
    "ignore",
    "until",
    "2026-12-31",
    "age1",
    "1",
    "~",
    "\r\n",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(words, { maxLength: 60 }).map((parts) => parts.join("")),
  );

  it("gives a configuration, or problems that lie within the text", () => {
    fc.assert(
      fc.property(text, (source) => {
        const result = parseConfig(source, "f");
        if (result.ok) return;
        const lines = source.split("\n");
        expect(result.problems.length).toBeGreaterThan(0);
        for (const { line, column, found, todo } of result.problems) {
          expect(line).toBeGreaterThan(0);
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeGreaterThan(0);
          expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
          expect(found).not.toBe("");
          expect(todo).not.toBe("");
          expect(`${found}${todo}`).not.toMatch(/[\u0000-\u001f\u007f]/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("gives the same for its bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (source) => {
        expect(parseConfig(Buffer.from(source), "f")).toEqual(parseConfig(source, "f"));
      }),
    );
  });

  it("never throws for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => typeof parseConfig(bytes, "f").ok === "boolean"),
    );
  });
});
