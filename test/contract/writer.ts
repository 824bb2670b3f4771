/**
 * What every ClusterWriter keeps: conditional, never over what exists, nothing stored by a dry run.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isCertkeepError } from "../../lib/error.ts";
import type { ClusterReader, ClusterWriter, SecretEvent } from "../../lib/ports/cluster.ts";

export interface WriterSubject {
  readonly writer: ClusterWriter;
  readonly reader: ClusterReader;
  /** A namespace that is there and empty. */
  readonly namespace: string;
  /** One whose token may do nothing. */
  readonly powerless: ClusterWriter;
  close(): Promise<void>;
}

const value = (text: string): string => Buffer.from(text).toString("base64");

export function writerContract(name: string, start: () => Promise<WriterSubject>): void {
  describe(`a writer: ${name}`, () => {
    let subject: WriterSubject;
    beforeAll(async () => {
      subject = await start();
    });
    afterAll(async () => subject.close());

    const fresh = (
      secret: string,
      data: Record<string, string> = { "tls.crt": value("c"), "tls.key": value("k") },
    ) => ({
      namespace: subject.namespace,
      name: secret,
      type: "kubernetes.io/tls",
      labels: { team: "web" },
      annotations: { "cert-manager.io/issuer-name": "le" },
      data,
    });
    const read = async (secret: string) => subject.reader.getSecret(subject.namespace, secret);

    it("creates with type, labels, annotations and bytes, and never over what exists", async () => {
      expect(await subject.writer.createSecret(fresh("made"))).toBe("done");
      expect(await read("made")).toMatchObject({
        type: "kubernetes.io/tls",
        labels: { team: "web" },
        annotations: { "cert-manager.io/issuer-name": "le" },
        data: { "tls.crt": value("c"), "tls.key": value("k") },
      });
      expect(
        await subject.writer.createSecret(
          fresh("made", { "tls.crt": value("other"), "tls.key": value("k") }),
        ),
      ).toBe("conflict");
      // The very same again is what was wanted.
      expect(await subject.writer.createSecret(fresh("made"))).toBe("done");
      expect((await read("made"))?.data["tls.crt"]).toBe(value("c"));
    });

    it("patches only the version that it names, and leaves the rest alone", async () => {
      await subject.writer.createSecret({
        ...fresh("patched"),
        type: "Opaque",
        data: { other: value("o") },
      });
      const before = await read("patched");
      const change = {
        namespace: subject.namespace,
        name: "patched",
        resourceVersion: before?.resourceVersion ?? "",
        labels: { more: "yes" },
        annotations: {},
        data: { "a.crt": value("c") },
      };
      expect(await subject.writer.patchSecret(change)).toBe("done");
      expect(await read("patched")).toMatchObject({
        labels: { team: "web", more: "yes" },
        data: { other: value("o"), "a.crt": value("c") },
      });
      expect(
        await subject.writer.patchSecret({ ...change, data: { "a.crt": value("late") } }),
      ).toBe("conflict");
      expect((await read("patched"))?.data["a.crt"]).toBe(value("c"));
      // As when the answer was lost: asked again, it finds its own work.
      expect(await subject.writer.patchSecret(change)).toBe("done");
      expect(await subject.writer.patchSecret({ ...change, name: "absent" })).toBe("conflict");
    });

    it("deletes only the version that it names", async () => {
      await subject.writer.createSecret(fresh("deleted"));
      const there = await read("deleted");
      const version = {
        namespace: subject.namespace,
        name: "deleted",
        uid: there?.uid ?? "",
        resourceVersion: there?.resourceVersion ?? "",
      };
      expect(await subject.writer.deleteSecret({ ...version, resourceVersion: "1" })).toBe(
        "conflict",
      );
      expect(
        await subject.writer.deleteSecret({
          ...version,
          uid: "00000000-0000-0000-0000-000000000000",
        }),
      ).toBe("conflict");
      expect(await read("deleted")).not.toBeNull();
      expect(await subject.writer.deleteSecret(version)).toBe("done");
      expect(await read("deleted")).toBeNull();
      expect(await subject.writer.deleteSecret(version)).toBe("done");
    });

    it("stores nothing in a dry run, and says what would be refused", async () => {
      expect(await subject.writer.createSecret(fresh("dry"), { dryRun: true })).toBe("done");
      expect(await read("dry")).toBeNull();
      await subject.writer.createSecret(fresh("wet"));
      const there = await read("wet");
      const version = {
        namespace: subject.namespace,
        name: "wet",
        uid: there?.uid ?? "",
        resourceVersion: there?.resourceVersion ?? "",
      };
      expect(
        await subject.writer.patchSecret(
          { ...version, labels: {}, annotations: {}, data: { "tls.crt": value("x") } },
          { dryRun: true },
        ),
      ).toBe("done");
      expect(await subject.writer.deleteSecret(version, { dryRun: true })).toBe("done");
      expect((await read("wet"))?.resourceVersion).toBe(there?.resourceVersion);
      await expect(
        subject.writer.createSecret(
          { ...fresh("bad"), data: { "tls.crt": value("c") } },
          { dryRun: true },
        ),
      ).rejects.toSatisfy((error) => isCertkeepError(error, "cluster_rejected"));
    });

    it("reads a Secret with everything in it and creates the very same, never over what exists", async () => {
      await subject.writer.createSecret({
        ...fresh("whole"),
        annotations: { "example.com/other": "kept" },
        data: { "tls.crt": value("c"), "tls.key": value("k"), _machinekey: value("m") },
      });
      const place = { namespace: subject.namespace, name: "whole" };
      const { metadata, ...rest } = (await subject.writer.readWhole(place)) ?? {};
      const { labels = {}, annotations = {} } = metadata ?? {};
      expect(annotations).toMatchObject({ "example.com/other": "kept" });
      const next = { ...rest, metadata: { labels, annotations } };
      expect(await subject.writer.createWhole({ ...place, name: "again" }, next)).toBe("done");
      expect(await subject.writer.readWhole({ ...place, name: "again" })).toMatchObject(next);
      // As when the answer was lost: asked again, it finds its own work.
      expect(await subject.writer.createWhole({ ...place, name: "again" }, next)).toBe("done");
      const other = { ...next, data: { "tls.crt": value("x"), "tls.key": value("k") } };
      expect(await subject.writer.createWhole(place, other)).toBe("conflict");
      expect((await read("whole"))?.data["tls.crt"]).toBe(value("c"));
      const dry = { ...place, name: "not-stored" };
      expect(await subject.writer.createWhole(dry, next, { dryRun: true })).toBe("done");
      expect(await subject.writer.readWhole(dry)).toBeNull();
    });

    it("tells a missing namespace, and makes one", async () => {
      const lost = { ...fresh("x"), namespace: `${subject.namespace}-gone` };
      await expect(subject.writer.createSecret(lost)).rejects.toSatisfy((error) =>
        isCertkeepError(error, "cluster_not_found"),
      );
      await subject.writer.createNamespace(lost.namespace);
      await subject.writer.createNamespace(lost.namespace);
      expect(await subject.writer.createSecret(lost)).toBe("done");
    });

    it("names the missing verb, and the manifest that grants it", async () => {
      await expect(subject.powerless.createSecret(fresh("forbidden"))).rejects.toSatisfy(
        (error) =>
          isCertkeepError(error, "cluster_forbidden") &&
          /has no permission to create secrets/.test(error.message) &&
          /verbs: \[get, list, create, patch\]/.test(error.message) &&
          error.message.includes(`namespace: ${subject.namespace}`) &&
          !error.message.includes(value("k")),
      );
    });

    it("tells of what is there, of what comes and of what goes", async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      const label = { "tailscale.com/managed": "true" };
      await subject.writer.createSecret({ ...fresh("watched-1"), labels: label });
      const watching = (async () => {
        for await (const event of subject.writer.watchSecrets(
          { namespace: subject.namespace, labelSelector: "tailscale.com/managed=true" },
          stop.signal,
        )) {
          seen.push(eventText(event));
          if (seen.length === 1)
            await subject.writer.createSecret({ ...fresh("watched-2"), labels: label });
          if (seen.length === 2) {
            await subject.writer.createSecret(fresh("unlabelled"));
            const there = await read("watched-1");
            await subject.writer.deleteSecret({
              namespace: subject.namespace,
              name: "watched-1",
              uid: there?.uid ?? "",
              resourceVersion: there?.resourceVersion ?? "",
            });
          }
          if (seen.length === 3) stop.abort();
        }
      })();
      await watching;
      expect(seen).toEqual(["present watched-1", "present watched-2", "gone watched-1"]);
      await expect(drain(subject.powerless)).rejects.toSatisfy((error) =>
        isCertkeepError(error, "cluster_forbidden"),
      );
    });

    const drain = async (writer: ClusterWriter): Promise<void> => {
      for await (const event of writer.watchSecrets(
        { namespace: subject.namespace, labelSelector: "a=b" },
        new AbortController().signal,
      ))
        void event;
    };
  });
}

function eventText(event: SecretEvent): string {
  return `${event.type} ${event.type === "gone" ? event.name : event.secret.name}`;
}
