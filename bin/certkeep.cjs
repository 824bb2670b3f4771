#!/usr/bin/env node
// Kept in the oldest syntax, so that an old Node says what is wrong instead of failing to parse.
var found = process.versions.node.split(".").map(Number);
if (found[0] < 22 || (found[0] === 22 && found[1] < 19)) {
  process.stderr.write("certkeep: this is Node.js " + process.versions.node + "; expected 22.19 or newer. Install a newer Node.js, for example: npm install --global node@24\n");
  process.exitCode = 2;
} else {
  import("../dist/cli/main.js");
}
