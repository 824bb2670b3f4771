/** The doctor on what lies on AWS: the registry, and whether anybody hears an alarm. */
import { describe, expect, it } from "vitest";
import { realTimer } from "../../lib/adapters/timer.ts";
import { CertkeepError } from "../../lib/error.ts";
import { commandOf } from "../../lib/report/command.ts";
import { observedText } from "../../lib/report/phrases/doctor.ts";
import { runDoctor } from "../../lib/usecases/doctor.ts";
import type { ClusterReader, SelfAccess } from "../../lib/ports/cluster.ts";
import type { DoctorPorts, ExaminedCluster } from "../../lib/usecases/doctor/context.ts";
import type { DoctorLine } from "../../lib/report/doctor.ts";
import { doctorExits } from "../../lib/usecases/doctor/line.ts";
import { createMemoryBlobs, createMemoryStates, Faults } from "../support/memory.ts";

const TOPIC = "arn:aws:sns:eu-west-1:123456789012:certkeep-prod-alarms";
const unavailable = new CertkeepError("store_unavailable", {
  where: "secretsmanager://certkeep/prod",
  found: "this identity has no permission for secretsmanager:ListSecrets",
});

async function doctor(change: Partial<DoctorPorts>): Promise<readonly DoctorLine[]> {
  const faults = new Faults();
  return runDoctor({
    configuration: { file: "s3://bucket/certkeep.yaml", trust: "named" },
    clusters: [],
    broken: [],
    identity: async () => null,
    registry: { url: "secretsmanager://certkeep/prod", clusters: 3, failure: null },
    topic: null,
    backups: createMemoryBlobs(faults),
    states: createMemoryStates(faults),
    connect: async () => Promise.reject(unavailable),
    routes: async () => [],
    sendTest: false,
    clock: { nowMs: () => 1_800_000_000_000 },
    timer: realTimer,
    newId: () => "id",
    ...change,
  });
}

const topic = (confirmed: number, pending: number): Partial<DoctorPorts> => ({
  topic: { name: TOPIC, subscriptions: async () => ({ confirmed, pending }) },
});
const of = (lines: readonly DoctorLine[], id: string) =>
  lines
    .filter((one) => one.id === id)
    .map(
      ({ level, observed, action }) =>
        `${level}: ${observedText(observed)}${action === null ? "" : ` > ${commandOf(action)}`}`,
    );

describe("doctor", () => {
  it.each([
    [1, 0, [`pass: Alarms go to 1 subscriber of ${TOPIC}`]],
    [2, 3, [`pass: Alarms go to 2 subscribers of ${TOPIC}`]],
    [
      0,
      1,
      [
        `fail: No alarm is delivered: 1 subscription of ${TOPIC} isn't confirmed. Follow the ` +
          "link in the message from AWS",
      ],
    ],
    [
      0,
      0,
      [
        `fail: No alarm is delivered: ${TOPIC} has no subscription > aws sns subscribe ` +
          `--topic-arn ${TOPIC} --protocol email --notification-endpoint ADDRESS`,
      ],
    ],
  ])(
    "on a topic with %i confirmed and %i pending subscriptions",
    async (confirmed, pending, said) => {
      const lines = await doctor(topic(confirmed, pending));
      expect(of(lines, "alarms")).toEqual(said);
      expect(doctorExits(lines)).toEqual(confirmed > 0 ? [] : [1]);
    },
  );

  it("only warns where SNS can't be asked, and is silent without a topic", async () => {
    const lines = await doctor({
      topic: { name: TOPIC, subscriptions: async () => Promise.reject(unavailable) },
    });
    expect(of(lines, "alarms")).toEqual([expect.stringMatching(/^warn: /)]);
    expect(doctorExits(lines)).toEqual([]);
    expect(of(await doctor({}), "alarms")).toEqual([]);
  });

  it(
    "tells a registry that can be read, one that is empty and one that can't be read, and goes " +
      "on",
    async () => {
      expect(of(await doctor({}), "registry")).toEqual([
        "pass: secretsmanager://certkeep/prod is readable: 3 clusters",
      ]);
      expect(of(await doctor({}), "clusters")).toEqual([
        "warn: None is registered: nothing is audited > certkeep clusters add NAME " +
          "--context CTX",
      ]);
      const lines = await doctor({
        registry: { url: "secretsmanager://certkeep/prod", clusters: 0, failure: unavailable },
      });
      expect(of(lines, "registry")).toEqual([expect.stringMatching(/^fail: .*ListSecrets/)]);
      expect(of(lines, "clusters")).toEqual([]);
      expect(of(lines, "state")).toEqual([expect.stringMatching(/^pass/)]);
      expect(doctorExits(lines)).toEqual([3]);
    },
  );
});

it("doctor cuts off a cluster that never ends, and looks at the others", async () => {
  let cut = (): void => {};
  const never = new Promise<never>((_, reject) => {
    cut = () => reject(new CertkeepError("deadline", { where: "cluster slow", found: "closed" }));
  });
  const cluster = (name: string) =>
    ({
      name,
      named: false,
      registered: false,
      sealedFor: [],
      namespaces: null,
      secrets: [],
      access: null,
    }) as unknown as ExaminedCluster;
  const lines = await doctor({
    clusters: [cluster("slow"), cluster("other")],
    timer: { sleep: async () => undefined },
    connect: async ({ name }) => {
      if (name === "other") throw unavailable;
      return {
        server: "https://10.0.0.1",
        insecure: false,
        expiresAtMs: null,
        self: { facts: () => never } as unknown as SelfAccess,
        reader: {} as ClusterReader,
        close: async () => cut(),
      };
    },
  });
  expect(of(lines, "reach").map((text) => text.replace(/ > .*/, ""))).toEqual([
    "fail: cluster slow: closed",
    `fail: ${unavailable.message}`,
  ]);
});
