/**
 * What serverless.yml takes from here. It is asked again until its variables can be resolved, so
 * nothing is kept.
 */
"use strict";

module.exports = async ({ resolveVariable }) => {
  const { NAMES } = require("./parameters.ts");
  const { createStack } = require("./stack.ts");
  const given = Object.fromEntries(
    await Promise.all(NAMES.map(async (name) => [name, await resolveVariable(`param:${name}`)])),
  );
  return createStack(
    given,
    await resolveVariable("sls:stage"),
    await resolveVariable("self:provider.region"),
  );
};
