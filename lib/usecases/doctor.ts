/**
 * Says what isn't set up right, and how to fix it: configuration, identity, stores, clocks, and
 * each cluster. It changes nothing but a probe in each store; the backups' is removed again.
 *
 * Each check is by itself: one that fails is a line that says so, and hides no other.
 */
import pLimit from "p-limit";
import { isCertkeepError } from "../error.ts";
import { registerAgain } from "../finding/action.ts";
import { sameCluster } from "../state/identity.ts";
import type { DoctorLine } from "../report/doctor.ts";
import type { DoctorPorts } from "./doctor/context.ts";
import { cutInTime } from "./audit/context.ts";
import { examineCluster, type Examined } from "./doctor/cluster.ts";
import { failed, line } from "./doctor/line.ts";
import {
  alarmLines,
  backupLines,
  drillLines,
  identityLines,
  routeLines,
  stateLines,
} from "./doctor/setup.ts";

const CLUSTERS_AT_ONCE = 4;

export async function runDoctor(ports: DoctorPorts): Promise<DoctorLine[]> {
  const check = async (
    id: string,
    work: (ports: DoctorPorts) => Promise<DoctorLine[]>,
  ): Promise<DoctorLine[]> => {
    try {
      return await work(ports);
    } catch (error) {
      if (!isCertkeepError(error)) throw error;
      return [failed(id, error)];
    }
  };
  const setUp = [
    ...configurationLines(ports),
    ...(await check("identity", identityLines)),
    ...(await check("backups", backupLines)),
    ...(await check("state", stateLines)),
    ...(await alarmLines(ports)),
  ];
  const limit = pLimit(CLUSTERS_AT_ONCE);
  const examined = await Promise.all(
    ports.clusters.map((cluster) => limit(() => examineCluster(cluster, inTime(ports)))),
  );
  return [
    ...setUp,
    ...examined.flatMap(({ lines }) => lines),
    ...sameClusterLines(examined),
    ...(await check("digest", routeLines)),
    ...(await check("drill", drillLines)),
  ];
}

function configurationLines({
  configuration,
  registry,
  broken,
  clusters,
}: DoctorPorts): DoctorLine[] {
  const lines: DoctorLine[] = [
    configuration === null
      ? line("config", "warn", { seen: "no_configuration" }, { action: { kind: "init" } })
      : line("config", "pass", { seen: "configuration", ...configuration }),
  ];
  if (registry?.failure != null) lines.push(failed("registry", registry.failure));
  else if (registry !== null) {
    const { url, clusters: count } = registry;
    lines.push(line("registry", "pass", { seen: "registry", url, clusters: count }));
  }
  for (const { name, error, isReadable } of broken) {
    // One with a mistake is corrected where the error says, so that none of it is lost.
    const action = isReadable ? registerAgain(name) : null;
    lines.push(failed("registration", error, { cluster: name, action }));
  }
  if (clusters.length === 0 && broken.length === 0 && registry?.failure == null)
    lines.push(
      line(
        "clusters",
        "warn",
        { seen: registry === null ? "no_cluster" : "none_registered" },
        { action: { kind: "clustersAddFirst" } },
      ),
    );
  return lines;
}

/** Ports whose connections are closed when the time of their cluster is over. */
function inTime(ports: DoctorPorts): DoctorPorts {
  return {
    ...ports,
    connect: async (cluster, bearer) => {
      const connection = await ports.connect(cluster, bearer);
      const done = cutInTime(ports.timer, connection.close);
      return {
        ...connection,
        close: async () => {
          done();
          await connection.close();
        },
      };
    },
  };
}

/** Two names for one cluster: each certificate is counted and backed up twice. */
function sameClusterLines(examined: readonly Examined[]): DoctorLine[] {
  return examined.flatMap(({ name, identity }, index) => {
    const first = examined
      .slice(0, index)
      .find(
        (one) =>
          identity?.uid != null && one.identity !== null && sameCluster(one.identity, identity),
      );
    if (first === undefined) return [];
    const action = { kind: "clustersRemove", cluster: name } as const;
    const observed = { seen: "same_cluster", as: first.name } as const;
    return [line("identity", "warn", observed, { cluster: name, action })];
  });
}
