/**
 * `node:http` as it is. An ES module that imports it has all its exports read, the lazy ones too, and with `WebSocket`
 * comes all of `fetch`: a tenth of what a command takes to start, and 5 MB, for a server that hardly anybody has.
 */
export const { Agent, request } = process.getBuiltinModule("node:http");
