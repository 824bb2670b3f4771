/** A restore's plan and its result as a person reads them, at 80 and 120 columns. */
import { describe, expect, it } from "vitest";
import stringWidth from "string-width";
import { restoreCommand } from "../../lib/report/command.ts";
import { itemDocument, planText } from "../../lib/report/plan.ts";
import type { PlanView, ShownItem, ShownOutcome } from "../../lib/report/planview.ts";
import { PLAIN } from "../../lib/report/text.ts";
import {
  type Detail,
  FORCIBLE,
  PLAN_CODES,
  type PlanCode,
} from "../../lib/restoreplan/objection.ts";
import type { PlanItem, Restart } from "../../lib/restoreplan/item.ts";

const host = (name: string): string => `${name}.tail1a2b3.ts.net`;
const GROUP: Restart = {
  needed: "no",
  action: {
    kind: "rollout",
    namespace: "tailscale",
    of: "statefulset",
    name: "ingress-proxies",
  },
  note: { reads: "group_next_access" },
};
const PROXY: Restart = {
  needed: "yes",
  action: { kind: "rollout", namespace: "tailscale", of: "statefulset", name: "ts-orders-x7k2p" },
  note: { reads: "proxy_at_start" },
};

function item(title: string, over: Partial<PlanItem> = {}): PlanItem {
  return {
    title,
    kind: "certificate",
    shape: "ha-ingress",
    names: [title],
    from: { namespace: "tailscale", secret: title, fieldBase: "tls" },
    to: { namespace: "tailscale", name: title },
    now: { state: "absent", reasons: [], notAfter: null },
    rule: "restore",
    why: [{ code: "secret_absent", detail: null }],
    overridden: [],
    force: [],
    action: "create",
    uid: null,
    resourceVersion: null,
    createNamespace: false,
    fields: ["tls.crt", "tls.key"],
    version: "4e97dd627e5f".padEnd(64, "0"),
    notAfter: "2027-02-05T00:00:00.000Z",
    daysLeft: 68,
    restart: GROUP,
    serial: title,
    saved: 1,
    revocation: { state: "good" },
    notes: [],
    ...over,
  };
}

const EMPTY = { state: "empty", reasons: [], notAfter: null } as const;
const invalid = (reason: string): PlanItem["now"] => ({
  state: "invalid",
  reasons: [reason],
  notAfter: "2026-11-20T00:00:00.000Z",
});

function refused(title: string, code: PlanCode, over: Partial<PlanItem> = {}): PlanItem {
  return item(title, {
    rule: "refuse",
    action: "none",
    why: [{ code, detail: null }],
    daysLeft: null,
    saved: 0,
    fields: [],
    ...over,
  });
}

function kept(title: string): PlanItem {
  return item(title, {
    rule: "keep",
    action: "none",
    why: [{ code: "already_there", detail: null }],
    now: { state: "valid", reasons: [], notAfter: "2027-02-05T00:00:00.000Z" },
    saved: 0,
    fields: [],
  });
}

const PLANNED: Readonly<Record<PlanItem["rule"], ShownOutcome>> = {
  restore: "planned",
  keep: "kept",
  refuse: "refused",
  later: "later",
};
const row = (
  one: PlanItem,
  outcome = PLANNED[one.rule],
  message: string | null = null,
): ShownItem => ({ item: one, outcome, message });

const orders = item(host("orders"), {
  shape: "standalone",
  from: { namespace: "tailscale", secret: "ts-orders-x7k2p-0", fieldBase: host("orders") },
  to: { namespace: "tailscale", name: "ts-orders-x7k2p-0" },
  now: EMPTY,
  why: [{ code: "fields_absent", detail: null }],
  action: "patch",
  restart: PROXY,
});
const reports = item(host("reports"), { daysLeft: 88 });
const wiki = refused(host("wiki"), "no_copy", { now: invalid("expired"), version: null });
const OTHERS = Array.from({ length: 29 }, (_, index) => row(kept(host(`app-${index}`))));

function viewOf(width: number, over: Partial<PlanView>): PlanView {
  return {
    title: "prod",
    server: "https://10.0.0.1:6443",
    mode: "plan",
    items: [],
    warnings: [],
    events: [],
    interrupted: false,
    offline: null,
    command: ({ apply, createNamespace, replace, standby, ...more }) =>
      restoreCommand(
        {
          cluster: "prod",
          names: [],
          all: true,
          namespace: null,
          createNamespace: createNamespace === true,
          replace: replace === true,
          standby: standby === true,
        },
        { ...more, apply },
      ),
    width,
    room: width,
    style: PLAIN,
    verbose: false,
    ...over,
  };
}

const LONG_NAME = `${"a-rather-long-host-name-for-a-tool".repeat(2)}.tail1a2b3.ts.net`;

const CASES: Readonly<Record<string, Partial<PlanView>>> = {
  plan: { items: [row(orders), row(reports), row(wiki), ...OTHERS] },
  verbose: {
    items: [row(orders), row(reports), row(wiki), row(kept(host("docs")))],
    verbose: true,
  },
  nothing: { items: OTHERS },
  refusals: {
    warnings: [
      { warning: "unknown_cluster", called: "prod", isRegistered: true },
      { warning: "not_looked_at", found: "namespace staging (denied, 403)" },
    ],
    items: [
      row(wiki),
      row(refused(host("docs"), "no_copy", { version: null })),
      row(
        refused(host("billing"), "copy_expired", {
          daysLeft: -8,
          why: [
            {
              code: "copy_expired",
              detail: { kind: "expired", atMs: Date.parse("2026-11-20T08:00:00Z") },
            },
          ],
        }),
      ),
      ...["shop", "checkout"].map((name) =>
        row(
          refused(host(name), "namespace_absent", {
            daysLeft: 60,
            why: [
              { code: "namespace_absent", detail: { kind: "namespace", namespace: "tailscale" } },
            ],
          }),
        ),
      ),
      row(refused("web.example.com", "secret_immutable", { shape: "tls", daysLeft: 40 })),
      row(
        refused("api.example.com", "names_differ", {
          shape: "tls",
          now: invalid("signature_invalid"),
          daysLeft: 40,
          force: ["names_differ"],
          why: [
            {
              code: "names_differ",
              detail: { kind: "names", copy: ["api.example.com"], lastSeen: ["*.example.com"] },
            },
          ],
        }),
      ),
      row(
        item(host("grafana"), {
          rule: "later",
          action: "none",
          saved: 0,
          to: null,
          why: [
            {
              code: "owner_makes_it",
              detail: {
                kind: "parent",
                parent: { namespace: "monitoring", name: "grafana" },
                there: "present",
                secret: "ts-grafana-x7k2p-0",
              },
            },
          ],
        }),
      ),
      row(
        reports,
        "refused",
        "prod is registered to be read: it has no restoring credential, and the reading one has " +
          "no permission to create Secrets in namespace tailscale. Add one:\n" +
          "certkeep clusters add prod --with restore",
      ),
    ],
  },
  warnings: {
    items: [
      row(item(host("loki"), { overridden: ["names_differ"], notes: [{ note: "older_copy" }] })),
      ...["a.example.com", "b.example.com"].map((name) =>
        row(
          item(name, {
            shape: "tls",
            now: invalid("unknown_issuer"),
            action: "patch",
            why: [
              {
                code: "live_invalid",
                detail: { kind: "reasons", reasons: ["unknown_issuer"] },
              },
            ],
            restart: { needed: "unknown", action: null, note: { reads: "by_program" } },
            notes: [{ note: "unknown_issuer", untilMs: Date.parse("2027-03-01T00:00:00Z") }],
          }),
        ),
      ),
      row(
        item(host("vault"), {
          notes: [{ note: "revocation_unknown", gap: { gap: "issuer_not_asked" } }],
        }),
      ),
    ],
  },
  applied: { mode: "apply", items: [row(orders, "done"), row(reports, "done"), ...OTHERS] },
  partly: {
    mode: "apply",
    items: [
      row(
        orders,
        "failed",
        "Secret tailscale/ts-orders-x7k2p-0: the server didn't answer within 30 s. Try again.",
      ),
      row(reports, "done"),
      row(item(host("vault")), "not_tried"),
      row(wiki),
      ...OTHERS,
    ],
    interrupted: true,
  },
  rehearsed: { mode: "rehearse", items: [row(orders, "done"), row(reports, "done")] },
  manifests: { mode: "apply", offline: "out", items: [row(reports, "done")] },
};

/** Codes of rows that are written or stay. */
const NO_REFUSALS: ReadonlySet<string> = new Set([
  ...["secret_absent", "fields_absent", "live_invalid", "copy_longer", "account_absent"],
  ...["account_with_certificate", "account_of_live", "secret_recreated", "forced"],
  ...["already_there", "account_in_use"],
]);

describe("a restore in text", () => {
  for (const [name, over] of Object.entries(CASES))
    it.each([80, 120])(`${name}: is as reviewed at %i columns`, async (width) => {
      const text = planText(viewOf(width, over));
      await expect(`${text}\n`).toMatchFileSnapshot(`fixtures/restore-${name}.${width}.txt`);
      for (const line of text.split("\n"))
        if (!/^ *(certkeep|kubectl) /.test(line))
          expect(stringWidth(line), `${line}`).toBeLessThanOrEqual(width);
    });

  it("says of generic TLS that a pod may have to reload it", () => {
    const web = item("a.example.com", {
      restart: { needed: "unknown", action: null, note: { reads: "by_program" } },
    });
    expect(planText(viewOf(120, { mode: "apply", items: [row(web, "done")] }))).toContain(
      "Served once its pods reload it; ingress controllers reload on their own.",
    );
  });

  it("shows the state of a Secret whose key is another's as explain does", () => {
    const items = [row(item(host("shop"), { now: invalid("key_mismatch") }))];
    expect(planText(viewOf(120, { items }))).toContain("  key mismatch  ");
  });

  it("cuts names where a terminal has no room, and never in a pipe", () => {
    const items = [row(item(LONG_NAME))];
    expect(planText(viewOf(80, { items }))).not.toContain(`  ${LONG_NAME} `);
    expect(planText(viewOf(80, { items, room: Infinity }))).toContain(`  ${LONG_NAME}  missing`);
  });

  const REFUSALS = (Object.keys(PLAN_CODES) as PlanCode[]).filter((code) => !NO_REFUSALS.has(code));

  it.each(REFUSALS)("says of %s what it is and what to do", (code) => {
    const detail: Detail | null =
      code === "device_renamed"
        ? { kind: "device", name: host("shop-1"), isToCome: false, domain: host("shop") }
        : null;
    const force = FORCIBLE.includes(code) ? [code] : [];
    const one = refused(host("shop"), code, { why: [{ code, detail }], force });
    const text = planText(viewOf(1000, { items: [row(one)] }));
    const [, , , , reason = "", command = null] = text.split("\n");
    expect(reason).toMatch(command === null ? /: .*\. .*\.$/ : /: .*\. .*:$/);
    if (command !== null) expect(command).toMatch(/^ {4}certkeep restore prod --all --/);
  });

  it.each([40, 80, 120])(
    "fits %i columns for a thousand certificates, and text of a cluster stays text",
    (width) => {
      const evil = "\u001b[31mevil\u202e; rm -rf $HOME";
      const items = Array.from({ length: 1000 }, (_, index) =>
        row(
          item(index === 7 ? evil : host(`s${index}`), { serial: String(index) }),
          "planned",
          index === 3 ? evil : null,
        ),
      );
      const text = planText(viewOf(width, { items, title: evil }));
      expect(text).not.toMatch(/[\u001b\u202e]/);
      for (const line of text.split("\n"))
        if (!line.startsWith("  certkeep"))
          expect(stringWidth(line), `${line}`).toBeLessThanOrEqual(width);
      expect(text).toContain("970 more rows (-v lists them).");
      expect(text).toContain("Saves 1,000 issuances.");
      expect(text.split("\n").length).toBeLessThan(60);
    },
  );

  it("shows with -v each row, with its Secret, backup, fields and reason", () => {
    const items = Array.from({ length: 70 }, (_, index) => row(item(host(`s${index}`))));
    const text = planText(viewOf(80, { items: [...items, ...OTHERS], verbose: true }));
    for (const { item: one } of items) {
      expect(text).toContain(`\n  ${one.title} `);
      expect(text).toContain(`  Secret   tailscale/${one.title}\n`);
    }
    for (const { item: one } of OTHERS) expect(text).toContain(`\n  ${one.title}: up to date`);
    expect(text).not.toContain("-v lists");
  });

  it("tells two Secrets with the same certificate apart", () => {
    const other = item(host("orders"), { to: { namespace: "tailscale", name: "other" } });
    const text = planText(viewOf(120, { items: [row(orders), row(other)] }));
    expect(text).toContain(`${host("orders")} (tailscale/ts-orders-x7k2p-0)`);
    expect(text).toContain(`${host("orders")} (tailscale/other)`);
  });

  it("counts what is saved by certificate: one in two Secrets was issued once", () => {
    const saved = (serials: readonly string[]): string =>
      planText(
        viewOf(200, { items: serials.map((serial) => row(item(host("shop"), { serial }))) }),
      );
    expect(saved(["0a", "0a", "0a"])).toContain("Saves 1 issuance.");
    expect(saved(["0a", "0b", "0a"])).toContain("Saves 2 issuances.");
  });

  it("doesn't call restored what is a manifest in a folder, and says how to apply it", () => {
    const items = [row(orders, "done"), row(reports, "later")];
    const written = planText(viewOf(200, { mode: "apply", offline: "out", items }));
    expect(written).toContain("Manifests written for 1 of 2; nothing is restored yet.");
    expect(written).toContain(
      "\n  kubectl apply --server-side --force-conflicts --field-manager=certkeep -f out",
    );
    expect(written).not.toMatch(/Restored|verified|Saved/);
    const done = planText(viewOf(200, { mode: "apply", items }));
    expect(done).toContain("Restored 1 of 2; read back and verified. Saved 1 issuance.");
    expect(done).not.toContain("kubectl apply");
  });

  it("leaves a cluster's id in small letters", () => {
    const key = "uid-19f4a0c2";
    const text = planText(
      viewOf(200, {
        items: [row(orders)],
        warnings: [
          { warning: "pinned", key },
          { warning: "successor", key, recorded: null },
        ],
      }),
    );
    expect(text).toContain(`Cluster ${key} is pinned`);
    expect(text).toContain(`Cluster ${key} is now another cluster`);
    expect(text).not.toContain("Uid-");
  });

  it("says in the document what to do about a refusal", () => {
    expect(itemDocument(refused(host("shop"), "secret_immutable"))).toMatchObject({
      codes: ["secret_immutable"],
      why: "the Secret is immutable",
      todo: "To see the plan that recreates it with its whole content, add --replace.",
    });
    expect(itemDocument(reports)).toMatchObject({ todo: null });
  });
});
