/** What every place of registrations has to do, whatever it is made of. */
import { describe, expect, test } from "vitest";
import type { Bearer } from "../../lib/rbac/table.ts";
import { parseRegistration } from "../../lib/config/parse.ts";
import type { NextRegistration, Registrations } from "../../lib/ports/registry.ts";

export interface RegistrationsSubject {
  /** A place that nobody else uses; empty. */
  readonly registrations: Registrations;
  /** Another adapter for the same place, as another process would have it. */
  readonly again: () => Registrations;
  /**
   * The credential in effect, as an audit or a restore would read it; `null` where there is none.
   */
  readonly credential: (name: string, bearer: Bearer) => Promise<string | null>;
  readonly close?: () => Promise<void>;
}

/** A registration that says `label`, and so do its credentials. */
function next(label: string, restores = true): NextRegistration {
  return {
    credentials: { read: `read ${label}`, restore: restores ? `restore ${label}` : null },
    text: ({ read, restore }) =>
      `# ${label}\n` +
      `${read === null ? "" : `kubeconfig: ${read}\n`}${restore === null ? "" : `restoreKubeconfig: ${restore}\n`}namespaces: ` +
      "[shop]\n",
  };
}

const AT_ONCE = 10;

export function registrationsContract(
  title: string,
  setup: () => Promise<RegistrationsSubject>,
): void {
  const withPlace = async (
    body: (subject: RegistrationsSubject) => Promise<void>,
  ): Promise<void> => {
    const subject = await setup();
    try {
      await body(subject);
    } finally {
      await subject.close?.();
    }
  };
  const labelOf = (text: string | undefined): string => /^# (\S+)/.exec(text ?? "")?.[1] ?? "none";
  const inEffect = async (
    { again, credential }: RegistrationsSubject,
    name: string,
  ): Promise<readonly (string | null)[]> => [
    labelOf((await again().read(name))?.text),
    await credential(name, "read"),
    await credential(name, "restore"),
  ];

  describe(`registrations: ${title}`, () => {
    test("are none, then what was written, with their credentials, and no credential in the text", () =>
      withPlace(async (subject) => {
        const { registrations } = subject;
        expect(await registrations.read("prod")).toBeNull();
        expect(await registrations.write("prod", null, next("one"))).toBe("written");
        expect(await inEffect(subject, "prod")).toEqual(["one", "read one", "restore one"]);
        const { text = "" } = (await registrations.read("prod")) ?? {};
        expect(parseRegistration(text, "f")).toMatchObject({
          ok: true,
          entry: { namespaces: ["shop"] },
        });
        expect(text).not.toContain("read one");
        expect(registrations.where("prod")).toContain(registrations.place);
      }));

    test(
      "are made once: of many at once one is told that it was, and its credentials are the ones " +
        "in effect",
      () =>
        withPlace(async (subject) => {
          const outcomes = await Promise.all(
            Array.from({ length: AT_ONCE }, async (_, n) =>
              subject.again().write("prod", null, next(`n${n}`)),
            ),
          );
          expect(outcomes.filter((one) => one === "written")).toHaveLength(1);
          const winner = `n${outcomes.indexOf("written")}`;
          expect(await inEffect(subject, "prod")).toEqual([
            winner,
            `read ${winner}`,
            `restore ${winner}`,
          ]);
        }),
    );

    test(
      "take the place of exactly what was read: of many at once one does, and whoever is late " +
        "changes nothing",
      () =>
        withPlace(async (subject) => {
          const { registrations } = subject;
          await registrations.write("prod", null, next("first"));
          const before = await registrations.read("prod");
          const outcomes = await Promise.all(
            Array.from({ length: AT_ONCE }, async (_, n) =>
              subject.again().write("prod", before, next(`n${n}`)),
            ),
          );
          expect(outcomes.filter((one) => one === "written")).toHaveLength(1);
          const winner = `n${outcomes.indexOf("written")}`;
          expect(await inEffect(subject, "prod")).toEqual([
            winner,
            `read ${winner}`,
            `restore ${winner}`,
          ]);
          expect(await registrations.write("prod", before, next("late"))).toBe("changed");
          expect(await registrations.write("prod", null, next("blind"))).toBe("changed");
          expect(await inEffect(subject, "prod")).toEqual([
            winner,
            `read ${winner}`,
            `restore ${winner}`,
          ]);
          expect(
            await registrations.write("prod", await registrations.read("prod"), next("next")),
          ).toBe("written");
          expect(await inEffect(subject, "prod")).toEqual(["next", "read next", "restore next"]);
        }),
    );

    test("that can't be rendered leave what was there", () =>
      withPlace(async (subject) => {
        const refuse = (label: string): NextRegistration => ({
          ...next(label),
          text: () => {
            throw new Error("refused on purpose");
          },
        });
        await expect(subject.registrations.write("new", null, refuse("x"))).rejects.toThrow(
          "refused on purpose",
        );
        expect(await inEffect(subject, "new")).toEqual(["none", null, null]);
        await subject.registrations.write("prod", null, next("first"));
        const before = await subject.registrations.read("prod");
        await expect(subject.registrations.write("prod", before, refuse("x"))).rejects.toThrow(
          "refused on purpose",
        );
        expect(await inEffect(subject, "prod")).toEqual(["first", "read first", "restore first"]);
      }));

    test("that no longer restore keep no restoring credential, once they are tidied", () =>
      withPlace(async (subject) => {
        const { registrations } = subject;
        await registrations.write("prod", null, next("first"));
        for (const label of ["second", "third"]) {
          const before = await registrations.read("prod");
          expect(await registrations.write("prod", before, next(label, false))).toBe("written");
          await registrations.tidy("prod", before);
        }
        expect(await inEffect(subject, "prod")).toEqual(["third", "read third", null]);
        await registrations.tidy("prod", null);
        expect(await inEffect(subject, "prod")).toEqual(["third", "read third", null]);
        expect(
          await registrations.write("prod", await registrations.read("prod"), next("fourth")),
        ).toBe("written");
        expect(await inEffect(subject, "prod")).toEqual([
          "fourth",
          "read fourth",
          "restore fourth",
        ]);
      }));

    test("go with their credentials, twice as once, and leave others'", () =>
      withPlace(async (subject) => {
        const { registrations } = subject;
        for (const name of ["prod", "prod-2", "pro"])
          await registrations.write(name, null, next(name));
        await registrations.remove("prod");
        await registrations.remove("prod");
        await registrations.remove("never");
        expect(await inEffect(subject, "prod")).toEqual(["none", null, null]);
        for (const name of ["prod-2", "pro"])
          expect(await inEffect(subject, name)).toEqual([name, `read ${name}`, `restore ${name}`]);
        expect(await registrations.write("prod", null, next("again"))).toBe("written");
        expect(await inEffect(subject, "prod")).toEqual(["again", "read again", "restore again"]);
      }));
  });
}
