/**
 * `npm run schema`: writes schema/certkeep.schema.json and schema/registration.schema.json from the
 * shape that the program checks.
 */
import { writeFileSync } from "node:fs";
import { jsonSchema, registrationJsonSchema } from "../lib/config/jsonschema.ts";

writeFileSync(
  new URL("../schema/certkeep.schema.json", import.meta.url),
  `${JSON.stringify(jsonSchema(), null, 2)}\n`,
);
writeFileSync(
  new URL("../schema/registration.schema.json", import.meta.url),
  `${JSON.stringify(registrationJsonSchema(), null, 2)}\n`,
);
