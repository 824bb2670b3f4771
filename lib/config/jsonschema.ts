/**
 * The JSON Schema of `certkeep.yaml`, for editors. Imported by scripts and tests only, so that no
 * bundle carries it.
 */
import * as z from "zod/mini";
import { registrationSchema } from "./cluster.ts";
import { help } from "./field.ts";
import { configSchema } from "./schema.ts";

type Json = Record<string, unknown>;

function draft7(schema: z.ZodMiniType): Json {
  return z.toJSONSchema(schema, {
    metadata: help,
    target: "draft-07",
    io: "input",
    unrepresentable: "throw",
    // zod leaves examples and defaults out where the value is transformed; ours are of what is
    // written.
    override: ({ zodSchema, jsonSchema: json }) => {
      Object.assign(json, help.get(zodSchema));
    },
  }) as Json;
}

/**
 * Draft 7, which editors' YAML plugins know best. What spans several settings is added by hand as
 * far as the draft can say it; a name used twice and a recipient's checksum are left to certkeep
 * itself.
 */
export function jsonSchema(): Json {
  const schema = draft7(configSchema);
  const ignore = (schema["properties"] as Record<string, Json>)["ignore"];
  for (const branch of (ignore?.["anyOf"] ?? []) as Json[]) {
    const items = branch["items"] as Json | undefined;
    if (items !== undefined)
      items["anyOf"] = ["cluster", "namespace", "name", "code"].map((key) => ({ required: [key] }));
  }
  return {
    $schema: schema["$schema"],
    title: "certkeep.yaml",
    description: "Configuration of certkeep. Every setting is optional.",
    ...schema,
  };
}

/**
 * The schema of a registration, `clusters/NAME.yaml`, for editors and for whoever declares clusters
 * by other tools.
 */
export function registrationJsonSchema(): Json {
  const schema = draft7(registrationSchema);
  return {
    $schema: schema["$schema"],
    title: "clusters/NAME.yaml",
    description:
      "A cluster's registration. It holds no credential: those are in the kubeconfigs " +
      "that it names, or in AWS.",
    ...schema,
  };
}
