/** A world whose authority has Let's Encrypt's limits, and what issues and audits in it. */
import { createIssuer } from "../../lib/issuer/issuers.ts";
import type { AuditReport } from "../../lib/usecases/audit.ts";
import type { AuditPorts } from "../../lib/usecases/audit/context.ts";
import { createKit } from "../../lib/wiring/kit.ts";
import type { Issued } from "./pki.ts";
import { DAY_MS, startWorld, type World } from "./world.ts";

export interface LimitedWorld {
  readonly world: World;
  readonly kit: AuditPorts["kit"];
  /** Issued `ms` ago: this authority doesn't date back. */
  ago(ms: number, names?: readonly string[], options?: Parameters<World["issue"]>[1]): Issued;
  audit(name: string, over?: Partial<AuditPorts>): Promise<AuditReport>;
}

export async function startLimitedWorld(domain: string): Promise<LimitedWorld> {
  const world = await startWorld();
  // A whole second, as certificates have them.
  world.nowMs = Math.floor(world.nowMs / 1000) * 1000;
  const { authority } = world;
  const limits = {
    perSet: { count: 5, periodMs: 7 * DAY_MS },
    perDomain: { count: 50, periodMs: 7 * DAY_MS },
    source: "test",
    checked: "2026-11-23",
  };
  const kit = createKit([
    createIssuer({
      id: "test",
      title: "Test CA",
      anchorsPem: authority.root.pem,
      intermediatesPem: authority.intermediates.map(({ pem }) => pem).join(""),
      limits,
    }),
  ]);
  return {
    world,
    kit,
    ago: (ms, names = [domain], options = {}) =>
      world.issue(names, {
        notBefore: new Date(world.nowMs - ms),
        notAfter: new Date(world.nowMs - ms + 90 * DAY_MS),
        ...options,
      }),
    audit: (name, over = {}) => world.audit({ name, uid: name, ports: { kit, ...over } }),
  };
}
