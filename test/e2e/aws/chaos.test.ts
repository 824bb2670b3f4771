/**
 * Audits at once, and drills, with copies and states on AWS behind a network that loses answers and
 * a service that throttles: whatever is lost on the way, what is kept in the end is one copy of
 * each certificate, recorded and good.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createS3Blobs, createS3States } from "../../../lib/adapters/aws/s3stores.ts";
import { createSecretBlobs } from "../../../lib/adapters/aws/secretblobs.ts";
import type { BlobStore } from "../../../lib/ports/stores.ts";
import { runDrill } from "../../../lib/usecases/drill.ts";
import { retireCopy } from "../../../lib/usecases/drill/retire.ts";
import { loadState } from "../../../lib/usecases/states.ts";
import { ingressSecret, startWorld, type World } from "../../support/world.ts";
import { startMoto, type AwsEmulator } from "../support/aws.ts";
import { lacksTools } from "../support/tools.ts";
import { startFaultyFront, type Fault, type FaultyFront } from "./faults.ts";
import { makeBucket, namesOf, useTestCredentials, worldAt, worldOf } from "./support.ts";

const HOSTS = Array.from({ length: 12 }, (_, index) => `h${index}.tail1a2b3.ts.net`);

/**
 * Of ten answers one is lost, one is the service's own trouble, one tells to slow down; the same
 * ones each time.
 */
function troubled(): (passage: { readonly target: string }) => Fault {
  let seed = 1;
  return ({ target }) => {
    seed = (seed * 48_271) % 2_147_483_647;
    const body = (name: string): string =>
      target === "" ? `<Error><Code>${name}</Code></Error>` : JSON.stringify({ __type: name });
    switch (seed % 10) {
      case 0:
        return "lose";
      case 1:
        return { status: 500, body: body("InternalError") };
      case 2:
        return { status: 503, body: body(target === "" ? "SlowDown" : "ThrottlingException") };
      default:
        return null;
    }
  };
}

describe.skipIf(lacksTools("moto_server"))("audits at once through a bad network", () => {
  let moto: AwsEmulator;
  let front: FaultyFront;
  let world: World;

  beforeAll(async () => {
    useTestCredentials();
    moto = await startMoto();
    front = await startFaultyFront(moto.endpoint);
  });
  afterAll(async () => {
    await front?.stop();
    await moto?.stop();
  });
  beforeEach(async () => {
    world = await startWorld();
  });
  afterEach(() => world.stop());

  it.each([
    [
      "secretsmanager",
      (bucket: string, at: AwsEmulator["env"]): BlobStore =>
        createSecretBlobs(`secretsmanager://${bucket}/backups`, { env: at }),
    ],
    [
      "s3",
      (bucket: string, at: AwsEmulator["env"]): BlobStore =>
        createS3Blobs(`s3://${bucket}/backups`, { env: at }),
    ],
  ] as const)(
    "keep one usable backup of each certificate in %s, and lose none of what they saw",
    async (_name, open) => {
      const bucket = await makeBucket(worldOf(moto), "versioned");
      const bad = worldAt(front.endpoint).env as AwsEmulator["env"];
      const url = `s3://${bucket}/state`;
      world.put(...HOSTS.map((host) => ingressSecret(host, world.issue([host]))));
      front.fault(troubled());
      // Three at a time, each as another process would run it; what can't be done now is told, and
      // done by a later one.
      for (let round = 0; round < 2; round += 1) {
        await Promise.allSettled(
          Array.from({ length: 3 }, () =>
            world.audit({
              ports: { backups: open(bucket, bad), states: createS3States(url, { env: bad }) },
            }),
          ),
        );
      }
      front.fault(() => null);
      const backups = open(bucket, moto.env);
      const states = createS3States(url, worldOf(moto));
      // They came through, most of the way at least.
      expect((await namesOf(backups.list(""))).length).toBeGreaterThan(HOSTS.length / 2);
      const last = await world.audit({ ports: { backups, states } });
      expect(last.clusters[0]).toMatchObject({
        complete: true,
        tally: { certificates: HOSTS.length, copies: HOSTS.length },
      });
      const keys = await namesOf(backups.list(""));
      expect(keys).toHaveLength(HOSTS.length);
      const recorded = Object.values((await loadState(states, "prod"))?.state.copies ?? {});
      expect(recorded.map(({ key }) => key).toSorted()).toEqual(keys);

      const { kit, clock, progress } = world.ports();
      const drill = () =>
        runDrill(
          {
            backups,
            states,
            kit,
            clock,
            progress,
            opener: world.opener,
            recipientsFor: () => [world.recipient],
            remove: true,
          },
          [],
        );
      expect((await drill()).copies.map(({ verdict }) => verdict)).toEqual(HOSTS.map(() => "good"));

      const [version = ""] = Object.keys((await loadState(states, "prod"))?.state.copies ?? {});
      front.fault(troubled());
      for (let attempt = 0; attempt < 5; attempt += 1) {
        const purged = await retireCopy(version, "leaked", true, {
          backups: open(bucket, bad),
          states: createS3States(url, { env: bad }),
          clock,
        }).catch(() => null);
        if (purged !== null) break;
      }
      front.fault(() => null);
      expect(await namesOf(backups.list(""))).toHaveLength(HOSTS.length - 1);
      expect((await loadState(states, "prod"))?.state.copies[version]?.retired?.reason).toBe(
        "leaked",
      );
      expect((await drill()).findings).toEqual([]);
    },
  );
});
