/**
 * What the framework leaves to do: checks the certkeep.yaml that is packaged, takes out the role that it makes for functions without one of their own, which none
 * is, and prints after `deploy` and `info` what comes next.
 */
"use strict";

module.exports = function CertkeepStack(serverless) {
  this.hooks = {
    "before:package:initialize": () => {
      const { checkConfig } = require("./config.ts");
      try {
        checkConfig(serverless.serviceDir);
      } catch (error) {
        // As the framework tells what is the user's: the message alone.
        throw new serverless.classes.Error(error.message, "CERTKEEP_CONFIG");
      }
    },
    // After serverless-iam-roles-per-function, which stands before this in serverless.yml and needs it as a model.
    "before:package:finalize": () => {
      delete serverless.service.provider.compiledCloudFormationTemplate.Resources.IamRoleLambdaExecution;
    },
    "after:aws:info:displayStackOutputs": () => {
      // What the framework's own plugin has just asked CloudFormation for.
      const outputs = serverless.pluginManager.plugins.find(({ gatheredData }) => gatheredData !== undefined)?.gatheredData.outputs ?? [];
      const next = outputs.filter(({ OutputKey }) => OutputKey.startsWith("Next")).toSorted((a, b) => (a.OutputKey < b.OutputKey ? -1 : 1));
      if (next.length > 0) serverless.addServiceOutputSection("next", next.map(({ Description, OutputValue }) => `${Description}:\n    ${OutputValue}`));
    },
  };
};
