/** A role that is taken on for one registration: in whose name, and by which way. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { roleCredentials } from "../../../lib/adapters/aws/client.ts";

const ROLE = "arn:aws:iam::123456789012:role/certkeep-prod-read";
const server = createServer();
const asked: string[] = [];
let url: string;

beforeEach(async () => {
  asked.length = 0;
  for (const event of ["request", "connect"]) server.removeAllListeners(event);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const [name, value] of Object.entries({
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_EC2_METADATA_DISABLED: "true",
  }))
    vi.stubEnv(name, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.close();
  server.closeAllConnections();
});

describe("a role", () => {
  it("is taken on in the registration's name, which its trust policy can demand", async () => {
    server.on("request", (request, answer) => {
      request.on("data", (part: Buffer) => asked.push(part.toString()));
      request.on("end", () => {
        answer.setHeader("content-type", "text/xml");
        answer.end(
          "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
        );
      });
    });
    expect(
      await roleCredentials(ROLE, "eu-west-1", "prod", { AWS_ENDPOINT_URL_STS: url })(),
    ).toMatchObject({ accessKeyId: "ASIA", sessionToken: "token" });
    const form = new URLSearchParams(asked.join(""));
    expect([form.get("Action"), form.get("RoleArn"), form.get("RoleSessionName")]).toEqual([
      "AssumeRole",
      ROLE,
      "certkeep-prod",
    ]);
  });

  it("is asked for in the registration's region, through the proxy that the environment names", async () => {
    server.on("connect", ({ url: target }, socket) => {
      asked.push(target ?? "");
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    await expect(
      roleCredentials(ROLE, "eu-central-1", "prod", {
        HTTPS_PROXY: url,
        AWS_REGION: "eu-west-1",
      })(),
    ).rejects.toMatchObject({ code: "cluster_unauthorized" });
    expect(new Set(asked)).toEqual(new Set(["sts.eu-central-1.amazonaws.com:443"]));
  });
});
