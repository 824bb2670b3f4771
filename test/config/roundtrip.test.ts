import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { addCloud, addSettings } from "../../lib/config/edit.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { renderConfig, yamlText } from "../../lib/config/template.ts";
import type * as z from "zod/mini";
import { clusterNameFor, settingsFor } from "../../lib/config/settings.ts";
import { configSchema, DEFAULT_CONFIG } from "../../lib/config/schema.ts";

const ONE = "age1z2lrvsqly5snu93xzzlcwqvatvcct8znj5plhq5mh6k0nvs8usyqfrwzcx";
const TWO = "age1daq8cqv9438g8yq0l66ymda7ku5f792gv4jrthyklwvq9l4w6a7qpfjrh2";

const recipients = fc.uniqueArray(fc.constantFrom(ONE, TWO), { minLength: 1 });
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const pattern = fc.stringMatching(/^[a-z0-9*]([a-z0-9*-]{0,20}[a-z0-9*])?$/);
const path = fc.stringMatching(/^[ -~äß]{1,30}$/);
const some = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { requiredKeys: [] });
const entry = {
  kubeconfig: path,
  context: path,
  namespaces: fc.uniqueArray(pattern, { minLength: 1 }),
  selector: fc.constantFrom("a=b", "!x,team in (a, b)", "app.kubernetes.io/name"),
  secrets: fc.uniqueArray(
    fc.tuple(label, label).map(([a, b]) => `${a}/${b}.x`),
    { minLength: 1 },
  ),
  operator: some({ namespace: label, secret: label }),
  recipients,
};
const clusters = fc.uniqueArray(
  fc.tuple(some(entry), label).map(([rest, name]) => ({ name, ...rest })),
  { selector: ({ name }) => name },
);
const ignore = fc.array(
  fc
    .tuple(
      some({
        cluster: pattern,
        namespace: pattern,
        code: fc.constantFrom("expiring" as const, "secret_lost" as const),
        until: fc.constantFrom("2026-12-31", "2027-01-01T00:00:00+01:00"),
      }),
      pattern,
      path.filter((reason) => reason.trim() !== ""),
    )
    .map(([rest, name, reason]) => ({ ...rest, name, reason })),
);
const routes = fc.uniqueArray(
  fc
    .tuple(
      some({
        clusters: fc.uniqueArray(pattern, { minLength: 1 }),
        severity: fc.constantFrom("critical" as const, "warning" as const),
      }),
      label,
    )
    .map(([rest, name]) => ({ ...rest, name, webhook: "env:HOOK" })),
  { selector: ({ name }) => name },
);
const digest = some({
  at: fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map((parts) => parts.map((n) => String(n).padStart(2, "0")).join(":")),
  weekday: fc.constantFrom("monday" as const, "sunday" as const),
  routes,
});
const sections = {
  identity: fc.constantFrom("file:~/a b", "env:ID", "secretsmanager://a/b"),
  clusters,
  stores: some({
    backups: fc.constantFrom("file:b", "s3://bucket", "secretsmanager://a/b"),
    state: fc.constantFrom("file:/s", "s3://bucket/a/b"),
    registry: fc.constantFrom("secretsmanager://certkeep/prod"),
  }),
  aws: fc
    .tuple(
      some({
        stage: fc.constantFrom("prod", "a-1"),
        topic: fc.constant("arn:aws:sns:eu-west-1:123456789012:t"),
        restoreFunction: fc.constant("certkeep-prod-restore"),
      }),
      fc.constantFrom("eu-west-1", "us-gov-east-1"),
    )
    .map(([rest, region]) => ({ ...rest, region })),
  restores: fc.array(
    fc
      .tuple(label, label)
      .filter(([from, to]) => from !== to)
      .map(([from, to]) => ({ from, to })),
  ),
  backups: some({ perDay: fc.integer({ min: 1, max: 1_000_000 }) }),
  digest,
  ignore,
};

/** Any valid configuration, as it stands in a file. */
const input: fc.Arbitrary<z.input<typeof configSchema>> = some({ ...sections, recipients });

describe("a valid configuration", () => {
  it("says the same after a round through YAML, block or flow", () => {
    fc.assert(
      fc.property(input, fc.boolean(), (value, flow) => {
        const result = parseConfig(flow ? JSON.stringify(value) : stringify(value), "f");
        expect(result.ok ? [] : result.problems).toEqual([]);
        if (!result.ok) return;
        const { config } = result;
        expect(config.recipients).toEqual(value.recipients ?? []);
        expect(config.identity).toBe(value.identity ?? null);
        expect(
          config.clusters.map(
            ({ name, kubeconfig, context, namespaces, selector, recipients: own }) => ({
              name,
              kubeconfig,
              context,
              namespaces,
              selector,
              own,
            }),
          ),
        ).toEqual(
          (value.clusters ?? []).map((one) => ({
            name: one.name,
            kubeconfig: one.kubeconfig ?? null,
            context: one.context ?? null,
            namespaces: one.namespaces ?? null,
            selector: one.selector ?? null,
            own: one.recipients ?? null,
          })),
        );
        expect(
          config.clusters.map(({ secrets }) =>
            secrets.map(({ namespace, name }) => `${namespace}/${name}`),
          ),
        ).toEqual((value.clusters ?? []).map(({ secrets }) => secrets ?? []));
        expect(config.stores).toEqual({
          backups: null,
          state: null,
          registry: null,
          ...value.stores,
        });
        expect(config.aws).toEqual(
          value.aws === undefined
            ? null
            : { stage: null, topic: null, restoreFunction: null, ...value.aws },
        );
        expect(config.restores).toEqual(value.restores ?? []);
        expect(config.backups.perDay).toBe(value.backups?.perDay ?? DEFAULT_CONFIG.backups.perDay);
        expect(config.digest.routes).toEqual(
          (value.digest?.routes ?? []).map((route) => ({
            clusters: null,
            severity: "info",
            ...route,
          })),
        );
        expect(config.digest.atMinute).toBe(
          value.digest?.at === undefined
            ? 480
            : Number(value.digest.at.slice(0, 2)) * 60 + Number(value.digest.at.slice(3)),
        );
        expect(config.digest.weekday).toBe(value.digest?.weekday ?? "monday");
        expect(
          config.ignore.map(({ untilMs: _end, until, ...rest }) => ({
            ...rest,
            ...(until === null ? {} : { until }),
          })),
        ).toEqual(value.ignore ?? []);
      }),
    );
  });
});

describe("settingsFor", () => {
  it("takes a cluster's own recipients, else the default ones", () => {
    const result = parseConfig(
      `recipients: [${ONE}]\n` +
        "clusters:\n" +
        `  - {name: a, recipients: [${TWO}]}\n` +
        "  - {name: b, namespaces: [x]}\n" +
        "backups: {perDay: 7}\n",
      "f",
    );
    if (!result.ok) throw new Error("expected a configuration");
    expect(settingsFor(result.config, "a")).toMatchObject({
      name: "a",
      recipients: [TWO],
      namespaces: null,
      copiesPerDay: 7,
    });
    expect(settingsFor(result.config, "b")).toMatchObject({
      name: "b",
      recipients: [ONE],
      namespaces: ["x"],
    });
    expect(settingsFor(result.config, "elsewhere")).toMatchObject({
      name: "elsewhere",
      recipients: [ONE],
      namespaces: null,
      kubeconfig: null,
      context: null,
      operator: null,
    });
  });
});

describe("clusterNameFor", () => {
  it.each([
    ["prod", "prod"],
    [
      "arn:aws:eks:eu-west-1:123456789012:cluster/Prod",
      "arn-aws-eks-eu-west-1-123456789012-cluster-prod",
    ],
    ["kubernetes-admin@kubernetes", "kubernetes-admin-kubernetes"],
    ["---", "cluster"],
    ["", "cluster"],
    [`${"a".repeat(62)}-b`, "a".repeat(62)],
  ])("calls %j %s", (context, name) => {
    expect(clusterNameFor(context)).toBe(name);
  });

  it("gives a name that a configuration takes, for any context", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        (context) => parseConfig(`clusters: [{name: "${clusterNameFor(context)}"}]`, "f").ok,
      ),
    );
  });
});

describe("the file that init writes", () => {
  const values = {
    recipients: [ONE],
    identity: "file:~/.config/certkeep/identity/identity.txt",
    clusters: [{ name: "prod", context: "prod-admin" }],
    schemaPath: "schema/x.json",
  };

  it("parses to what it was made of, for any contexts", () => {
    fc.assert(
      fc.property(
        recipients,
        clusters,
        fc
          .string({ unit: "binary" })
          .filter((name) => /^[^\r\n\0]+$/.test(name) && name.isWellFormed()),
        (who, which, context) => {
          const text = renderConfig({
            ...values,
            recipients: who,
            clusters: which.map(({ name }) => ({ name, context })),
          });
          const result = parseConfig(text, "f");
          expect(result.ok ? [] : result.problems).toEqual([]);
          expect(result.ok && result.config).toMatchObject({
            recipients: who,
            identity: values.identity,
            clusters: which.map(({ name }) => ({
              name,
              context,
              kubeconfig: null,
              namespaces: null,
            })),
          });
        },
      ),
    );
  });

  it("gives a text as one that YAML reads back", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
        (text) => {
          const result = parseConfig(
            "ignore: [{code: expired, reason: x}, {code: expired, reason: " +
              `${yamlText(`-${text}`)}}]`,
            "f",
          );
          expect(result.ok && result.config.ignore[1]?.reason).toBe(`-${text}`);
        },
      ),
    );
  });

  it("is right with every setting switched on, and shows every setting there is", () => {
    for (const chosen of [values.clusters, []]) {
      const text = renderConfig({ ...values, recipients: [], identity: null, clusters: chosen });
      const on = text.replaceAll(/#(?=[a-z-])/g, "").replaceAll("age1…", ONE);
      const result = parseConfig(on, "f");
      expect(result.ok ? [] : result.problems).toEqual([]);
      if (!result.ok) return;
      const { config } = result;
      expect(config.clusters).toHaveLength(1);
      expect(
        [
          config.recipients,
          config.identity,
          config.stores.backups,
          config.stores.state,
          config.stores.registry,
          config.aws?.topic ?? null,
          config.restores,
          config.issuers,
          config.ignore,
        ].every((part) => part !== null && part.length > 0),
      ).toBe(true);
      // What registering gave is written by it alone.
      const { access, ...settings } = config.clusters[0] ?? { access: null };
      expect(access).toBeNull();
      expect(
        Object.entries(settings).filter(
          ([, part]) => part === null || (part as { length?: number }).length === 0,
        ),
      ).toEqual([]);
      for (const section of Object.keys(configSchema._zod.def.shape))
        expect(text).toMatch(new RegExp(`^#?${section}:`, "m"));
    }
  });

  it("says first that an edited file has to be approved", () => {
    const [header = ""] = renderConfig({ ...values, schemaPath: null }).split("\n\n");
    expect(header).toContain("# After an edit, certkeep asks you to approve this file");
  });

  it("keeps within 110 columns", () => {
    expect(
      Math.max(
        ...renderConfig(values)
          .split("\n")
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(110);
  });
});

describe("addSettings", () => {
  const addition = { recipients: [ONE], identity: "file:~/id.txt" };

  it.each([
    ["an empty file", "", `recipients: [${ONE}]\nidentity: file:~/id.txt\n`],
    [
      "comments without a last line end",
      "# mine",
      `# mine\nrecipients: [${ONE}]\nidentity: file:~/id.txt\n`,
    ],
    [
      "settings below comments",
      "# mine\n\n# clusters\nclusters: # two\n  - name: a\n",
      "# mine\n" +
        "\n" +
        "# clusters\n" +
        `recipients: [${ONE}]\n` +
        "identity: file:~/id.txt\n" +
        "clusters: # two\n" +
        "  - name: a\n",
    ],
    [
      "an indented file",
      "---\n  clusters:\n  - name: a\n",
      `---\n  recipients: [${ONE}]\n  identity: file:~/id.txt\n  clusters:\n  - name: a\n`,
    ],
    [
      "recipients without any",
      "identity: env:ID\nrecipients: [] # soon\n",
      `identity: env:ID\nrecipients: [${ONE}] # soon\n`,
    ],
    ["recipients left open", "recipients:\n#  - someone\nbackups: {perDay: 3}\n", null],
    [
      "Windows line ends",
      "clusters: []\r\n",
      `recipients: [${ONE}]\r\nidentity: file:~/id.txt\r\nclusters: []\r\n`,
    ],
    [
      "a byte order mark",
      "\ufeffclusters: []\n",
      `\ufeffrecipients: [${ONE}]\nidentity: file:~/id.txt\nclusters: []\n`,
    ],
  ])("completes %s", (_name, before, after) => {
    const text = addSettings(before, addition);
    if (after !== null) expect(text).toBe(after);
    const result = parseConfig(text ?? "recipients: x", "f");
    expect(result.ok && result.config.recipients).toEqual([ONE]);
  });

  it.each([
    ["one that has recipients", `recipients: [${TWO}]\n`],
    ["one with mistakes", "clusers: []\n"],
    ["one in braces", "{clusters: []}\n"],
    ["one that ended", "# mine\n---\n...\n"],
  ])("leaves %s", (_name, text) => {
    expect(addSettings(text, addition)).toBeNull();
  });

  it("adds to any configuration what was asked, and keeps every line", () => {
    fc.assert(
      fc.property(
        some(sections),
        fc.constantFrom("# first\n", ""),
        fc.constantFrom("", "recipients: []\n", "recipients:\n", "recipients: ~ # none\n"),
        (value, comment, own) => {
          const body = Object.keys(value).length === 0 ? "" : stringify(value);
          const before = `${comment}${body}# between\n${own}# last\n`;
          const after = addSettings(before, addition);
          const result = parseConfig(after ?? "recipients: none", "f");
          const old = parseConfig(before, "f");
          if (!result.ok || !old.ok || after === null) throw new Error("expected a configuration");
          expect(result.config).toEqual({
            ...old.config,
            recipients: [ONE],
            identity: old.config.identity ?? addition.identity,
          });
          const lines = after.split("\n");
          for (const line of before.split("\n"))
            if (!line.startsWith("recipients")) expect(lines).toContain(line);
        },
      ),
    );
  });
});

describe("addCloud", () => {
  const addition = {
    region: "eu-west-1",
    stage: "prod",
    route: { name: "ops", webhook: "secretsmanager://certkeep/prod/slack/ops" },
  };
  const AWS = "aws:\n  region: eu-west-1\n  stage: prod\n";
  const ROUTE = "    - name: ops\n      webhook: secretsmanager://certkeep/prod/slack/ops\n";

  it.each([
    ["an empty file", "", `${AWS}digest:\n  routes:\n${ROUTE}`],
    ["comments without a last line end", "# mine", `# mine\n${AWS}digest:\n  routes:\n${ROUTE}`],
    [
      "a digest without routes",
      'digest:\n  # early\n  at: "06:00" # UTC\n',
      `digest:\n  # early\n  routes:\n${ROUTE}  at: "06:00" # UTC\n${AWS}`,
    ],
    [
      "a file that says where the functions are",
      "aws: {region: us-east-1}\n",
      `aws: {region: us-east-1}\ndigest:\n  routes:\n${ROUTE}`,
    ],
    [
      "a file with a route",
      "digest: {routes: [{name: a, webhook: env:A}]}\n",
      `digest: {routes: [{name: a, webhook: env:A}]}\n${AWS}`,
    ],
  ])("completes %s", (_name, before, after) => {
    expect(addCloud(before, addition)).toBe(after);
    expect(addCloud(after, addition)).toBe(after);
  });

  it.each([
    ["one with mistakes", "clusers: []\n"],
    ["one in braces", "{clusters: []}\n"],
    ["a digest in braces", 'digest: {at: "06:00"}\n'],
    ["one that ended", "# mine\n---\n...\n"],
  ])("leaves %s", (_name, text) => {
    expect(addCloud(text, addition)).toBeNull();
  });

  it("stands in the place of the examples in the file that init wrote", () => {
    const text =
      addCloud(
        renderConfig({ recipients: [ONE], identity: null, clusters: [], schemaPath: null }),
        addition,
      ) ?? "";
    expect(text).toContain(`writes this).\n${AWS}#aws:\n`);
    expect(text).toContain(`digest:\n  routes:\n${ROUTE}#digest:\n`);
  });

  it("adds to any configuration what was asked, and keeps every line", () => {
    fc.assert(
      fc.property(input, (value) => {
        const before = Object.keys(value).length === 0 ? "" : stringify(value);
        const after = addCloud(before, addition);
        if (after === null) {
          // A digest that is there and empty has no place to put a route.
          expect(Object.keys(value.digest ?? { x: 1 })).toEqual(
            value.digest?.routes === undefined ? [] : expect.anything(),
          );
          return;
        }
        for (const line of before.split("\n")) expect(after.split("\n")).toContain(line);
        const result = parseConfig(after, "f");
        expect(result.ok && result.config.aws).not.toBeNull();
        expect(result.ok && result.config.digest.routes.length).toBeGreaterThan(0);
      }),
    );
  });
});
