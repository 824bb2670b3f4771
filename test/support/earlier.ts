/**
 * A store as an earlier version wrote it: a cluster audited twice, before backups held other
 * controllers' annotations and before a certificate's account was remembered. In between, the
 * operator lost its first ACME account key.
 */
import { readFileSync } from "node:fs";
import { createOpener } from "../../lib/adapters/age/identity.ts";
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { Opener } from "../../lib/ports/stores.ts";
import type { PutObject } from "../fake-apiserver/api.ts";
import { stateName } from "../../lib/usecases/states.ts";
import { createKit } from "../../lib/wiring/kit.ts";
import { startWorld, type World } from "./world.ts";

interface Earlier {
  readonly identity: string;
  readonly recipient: string;
  readonly auditedAt: string;
  readonly rootPem: string;
  /**
   * As they were: `operator` at the first audit and at the second, the HA Ingress's, the generic
   * TLS Secret.
   */
  readonly secrets: readonly [PutObject, PutObject, PutObject, PutObject];
  readonly state: object;
  readonly backups: Readonly<Record<string, object>>;
}

export interface EarlierWorld extends World {
  readonly earlier: Earlier;
}

/** A new cluster with that store: `--rebuilt` restores into it. */
export async function startEarlierWorld(): Promise<EarlierWorld> {
  const earlier = JSON.parse(
    readFileSync(new URL("../usecases/vectors-backups.json", import.meta.url), "utf8"),
  ) as Earlier;
  const world = await startWorld();
  for (const [key, document] of Object.entries(earlier.backups))
    await world.backups.create(
      key,
      new TextEncoder().encode(`${JSON.stringify(document, null, 1)}\n`),
    );
  await world.states.write(stateName("prod"), JSON.stringify(earlier.state), null);
  world.nowMs = Date.parse(earlier.auditedAt) + 3_600_000;
  const opener: Opener = await createOpener([{ where: "test", content: earlier.identity }]);
  const kit = createKit([createIssuer({ id: "test", title: "Test", anchorsPem: earlier.rootPem })]);
  return Object.assign(world, {
    earlier,
    opener,
    recipient: earlier.recipient,
    ports: ((ports) => () => ({ ...ports(), kit }))(world.ports),
  });
}
