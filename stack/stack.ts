/** The whole of a deployment beside its code, worked out of its parameters. */
import { alarms } from "./alarms.ts";
import { environment, ownEnvironment } from "./environment.ts";
import { FUNCTIONS, roleId } from "./names.ts";
import { outputs } from "./outputs.ts";
import { parseParameters, type Given } from "./parameters.ts";
import { queue } from "./queue.ts";
import { roles } from "./roles.ts";
import { storage } from "./storage.ts";

/** @throws Error that names a parameter, its value and what it must be */
export function createStack(given: Given, stage: string, region: string): object {
  const parameters = parseParameters(given, stage, region);
  const { subnets, securityGroups, intervalMinutes } = parameters;
  return {
    parameters,
    environment: environment(parameters),
    own: ownEnvironment(parameters),
    rate: intervalMinutes === 1 ? "rate(1 minute)" : `rate(${intervalMinutes} minutes)`,
    role: Object.fromEntries(FUNCTIONS.map((name) => [name, roleId(name)])),
    vpc: subnets.length === 0 ? null : { subnetIds: subnets, securityGroupIds: securityGroups },
    resources: {
      ...roles(parameters),
      ...storage(parameters),
      ...queue(parameters),
      ...alarms(parameters),
    },
    outputs: outputs(parameters),
  };
}
