/**
 * What the framework leaves to do: refuses misspelt parameters, a certkeep.yaml with mistakes and
 * stores other than the standing stack's before anything is made, leaves out for `invoke local`
 * what only CloudFormation knows, and prints after `deploy` and `info` what comes next.
 */
"use strict";

const { readFileSync } = require("node:fs");
const { join } = require("node:path");

module.exports = function CertkeepStack(serverless, options, { log }) {
  const refuse = (message) => new serverless.classes.Error(message, "CERTKEEP");
  const { refuseUnknown } = require("./parameters.ts");
  try {
    const given = [options.param ?? []].flat().map((pair) => pair.split("=")[0]);
    refuseUnknown([
      ...given,
      ...Object.values(serverless.configurationInput.params ?? {}).flatMap((params) =>
        Object.keys(params ?? {}),
      ),
    ]);
  } catch (error) {
    throw refuse(error.message);
  }
  const lookAtConfig = () => {
    const text = textOf(join(serverless.serviceDir, "certkeep.yaml"));
    const { mistake, notes } = require("./packaged.ts").lookAtConfig(
      text,
      serverless.processedInput.commands[0] === "package",
    );
    if (mistake !== null) throw refuse(mistake);
    for (const note of notes) log.warning(note);
  };
  const lookAtStack = async () => {
    const config = textOf(join(serverless.serviceDir, "certkeep.yaml"));
    const aws = serverless.getProvider("aws");
    const stack = aws.naming.getStackName();
    const template = await templateOf(stack, await aws.getAwsSdkV3Config()).catch((error) => {
      throw refuse(
        `stack ${stack}: can't read what is deployed (cloudformation:GetTemplate: ` +
          `${error.name}). Check your AWS credentials and their permissions.`,
      );
    });
    const { environment } = serverless.service.custom.certkeep;
    const refused =
      template === null
        ? null
        : require("./standing.ts").refusedSwitch(template, environment, { stack, config });
    if (refused !== null) throw refuse(refused);
  };
  this.hooks = {
    "before:package:initialize": lookAtConfig,
    "before:deploy:deploy": lookAtStack,
    "before:deploy:function:initialize": async () => {
      lookAtConfig();
      await lookAtStack();
    },
    initialize: () => {
      if (serverless.processedInput.commands.join(" ") !== "invoke local") return;
      const { provider, functions } = serverless.service;
      const left = [provider.environment, functions[options.function]?.environment ?? {}].flatMap(
        (environment) => leaveOut(environment),
      );
      log.notice(
        "Left out, since only the deployed stack knows it (--env NAME=VALUE gives it): " +
          left.join(", "),
      );
    },
    "after:aws:info:displayStackOutputs": () => {
      // What the framework's own plugin has just asked CloudFormation for.
      const outputs =
        serverless.pluginManager.plugins.find(({ gatheredData }) => gatheredData !== undefined)
          ?.gatheredData.outputs ?? [];
      const next = outputs
        .filter(({ OutputKey }) => OutputKey.startsWith("Next"))
        .toSorted((a, b) => (a.OutputKey < b.OutputKey ? -1 : 1));
      if (next.length > 0)
        serverless.addServiceOutputSection(
          "next",
          next.map(({ Description, OutputValue }) => `${Description}:\n    ${OutputValue}`),
        );
    },
  };
};

/** Of a stack that can be absent. */
async function templateOf(stack, config) {
  const { CloudFormationClient, GetTemplateCommand } = require("@aws-sdk/client-cloudformation");
  try {
    const { TemplateBody } = await new CloudFormationClient(config).send(
      new GetTemplateCommand({ StackName: stack }),
    );
    return TemplateBody ?? null;
  } catch (error) {
    if (error.name === "ValidationError" && /does not exist/.test(error.message)) return null;
    throw error;
  }
}

/** Of a file that can be absent. */
function textOf(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

/** Takes out what isn't text; the names. */
function leaveOut(environment) {
  const names = Object.keys(environment).filter((name) => typeof environment[name] === "object");
  for (const name of names) delete environment[name];
  return names;
}
