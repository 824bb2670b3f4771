#!/usr/bin/env node
// Kept in the oldest syntax, so that an old Node says what is wrong instead of failing to parse.
var fs = require("fs");
var path = require("path");
var found = process.versions.node.split(".").map(Number);
if (found[0] < 22 || (found[0] === 22 && found[1] < 19)) {
  process.stderr.write(
    "certkeep: this is Node.js " +
      process.versions.node +
      ", and certkeep needs 22.19 or newer. Install a newer Node.js, for example: npm install --global node@24\n",
  );
  process.exitCode = 2;
} else {
  // A checkout runs from its sources, the package from what was built of them.
  var sources = path.join(__dirname, "../lib/cli/main.ts");
  import(fs.existsSync(sources) ? "../lib/cli/main.ts" : "../dist/cli/main.js").catch(
    function (error) {
      process.stderr.write(
        "certkeep: it could not be started (" +
          (error && error.code ? error.code : error) +
          "). In a checkout: npm ci. As a package: install it again.\n",
      );
      process.exitCode = 2;
    },
  );
}
