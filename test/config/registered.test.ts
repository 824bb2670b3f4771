/** What the secrets of a registry hold: whole or one plain error that shows nothing of them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  parseRegistered,
  parseRestoring,
  registeredEntry,
  registeredText,
  registryNames,
  restoringText,
} from "../../lib/config/registered.ts";
import { CertkeepError } from "../../lib/error.ts";

const URL = "secretsmanager://certkeep/prod";
const WHERE = `${URL}/clusters/web`;

describe("a registered cluster", () => {
  it("reads back as it was written, whatever stands in it", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string().filter((text) => text.trim() !== ""),
        (registration, kubeconfig) => {
          expect(parseRegistered(registeredText({ registration, kubeconfig }), WHERE)).toEqual({
            registration,
            kubeconfig,
          });
          expect(parseRestoring(restoringText(kubeconfig), WHERE)).toBe(kubeconfig);
        },
      ),
    );
  });

  it("is an error of the project's own for any other text, and shows nothing of it", () => {
    const canary = "canary1canary";
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string().map((text) => `${canary}${text}`),
          fc.json().map((text) => text.replaceAll(/"[^"]*"/g, `"${canary}"`)),
          fc
            .jsonValue()
            .map((value) =>
              JSON.stringify({ format: value, registration: value, kubeconfig: canary }),
            ),
        ),
        (text) => {
          for (const parse of [parseRegistered, parseRestoring]) {
            try {
              parse(text, WHERE);
            } catch (error) {
              expect(error).toBeInstanceOf(CertkeepError);
              expect((error as CertkeepError).message).toContain(WHERE);
              expect((error as CertkeepError).message).not.toContain(canary);
            }
          }
        },
      ),
    );
  });

  it("has the registry's own secrets as kubeconfigs, and no others", () => {
    const entry = (registration: string) =>
      registeredEntry("web", { registration, kubeconfig: "x" }, URL);
    expect(entry("namespaces: [shop]\n")).toMatchObject({
      name: "web",
      kubeconfig: WHERE,
      restoreKubeconfig: null,
      namespaces: ["shop"],
    });
    expect(entry(`restoreKubeconfig: ${URL}/restoring/web\n`).restoreKubeconfig).toBe(
      `${URL}/restoring/web`,
    );
    for (const text of [
      "kubeconfig: k\n",
      `kubeconfig: ${WHERE}\n`,
      `restoreKubeconfig: ${URL}/restoring/other\n`,
      "restoreKubeconfig: r\n",
      "kubeconfg: a\n",
    ])
      expect(() => entry(text)).toThrow(CertkeepError);
    expect(() => registeredEntry("Web", { registration: "", kubeconfig: "x" }, URL)).toThrow(
      /no cluster can have/,
    );
  });

  it("lies below its registry", () => {
    expect(registryNames(URL)).toMatchObject({
      clusters: "certkeep/prod/clusters/",
      identity: "certkeep/prod/identity",
      backups: "certkeep/prod/backups",
    });
    expect([
      registryNames(URL).cluster("a"),
      registryNames(URL).restoring("a"),
      registryNames(URL).slack("ops"),
    ]).toEqual([
      "certkeep/prod/clusters/a",
      "certkeep/prod/restoring/a",
      "certkeep/prod/slack/ops",
    ]);
  });
});
