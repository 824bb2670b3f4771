import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer, request } from "node:https";
import { connect, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { clientSettings } from "../../../lib/adapters/aws/client.ts";
import { s3Client } from "../../../lib/adapters/aws/s3object.ts";
import { secretsClient } from "../../../lib/adapters/aws/secretsmanager.ts";
import { createServerAuthority } from "../../e2e/support/servercert.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

describe("a client's settings", () => {
  it.each([
    [
      "the environment's region first",
      { AWS_REGION: "eu-west-1", AWS_DEFAULT_REGION: "us-east-1" },
      "eu-north-1",
      "eu-west-1",
    ],
    ["then the command line's", { AWS_DEFAULT_REGION: "us-east-1" }, "eu-north-1", "us-east-1"],
    ["then the configuration's", { AWS_REGION: "" }, "eu-north-1", "eu-north-1"],
    ["then the profile's, which the SDK reads", {}, undefined, undefined],
  ] as const)("%s", (_name, env, region, expected) => {
    expect(
      clientSettings({ env, ...(region === undefined ? {} : { region }) }, "S3").config().region,
    ).toBe(expected);
  });

  it.each([
    [{}, undefined, undefined],
    [{ AWS_ENDPOINT_URL: "http://all" }, "http://all", "http://all"],
    [
      { AWS_ENDPOINT_URL: "http://all", AWS_ENDPOINT_URL_S3: "http://s3" },
      "http://s3",
      "http://all",
    ],
    [{ AWS_ENDPOINT_URL_SECRETS_MANAGER: "http://secrets" }, undefined, "http://secrets"],
    [
      { AWS_ENDPOINT_URL: "http://all", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" },
      undefined,
      undefined,
    ],
  ])("endpoints of %j", (env, s3, secrets) => {
    expect(clientSettings({ env }, "S3").config().endpoint).toBe(s3);
    expect(clientSettings({ env }, "SECRETS_MANAGER").config().endpoint).toBe(secrets);
  });

  it("make one client a process for one place, with bounded tries and time-outs", async () => {
    const world = { env: { AWS_REGION: "eu-west-1", AWS_ENDPOINT_URL: "http://127.0.0.1:1" } };
    expect(s3Client(world)).toBe(s3Client({ env: { ...world.env } }));
    expect(s3Client(world)).not.toBe(s3Client({ env: { AWS_REGION: "eu-west-1" } }));
    expect(secretsClient(world)).toBe(secretsClient(world));
    expect(s3Client(world).config.forcePathStyle).toBe(true);
    expect(s3Client({ env: { AWS_REGION: "eu-west-1" } }).config.forcePathStyle).not.toBe(true);
    const tries = await secretsClient(world).config.maxAttempts();
    expect(tries).toBeGreaterThanOrEqual(3);
    expect(tries).toBeLessThanOrEqual(6);
    const { connectionTimeout, requestTimeout, socketTimeout, throwOnRequestTimeout } =
      clientSettings(world, "S3").config().requestHandler;
    expect(throwOnRequestTimeout).toBe(true);
    expect(Math.max(connectionTimeout, requestTimeout, socketTimeout)).toBeLessThanOrEqual(30_000);
  });
});

describe("the way through a proxy", () => {
  it("is taken as the environment says, host by host", async () => {
    const authority = await createServerAuthority();
    const pair = await authority.issue(["s3.example.test", "direct.localhost"]);
    const port = await listen(
      createHttpsServer({ cert: pair.certPem, key: pair.keyPem }, (_request, response) =>
        response.end("there"),
      ),
    );
    const asked: string[] = [];
    const proxy = createHttpServer();
    proxy.on("connect", (incoming, socket: Socket) => {
      asked.push(incoming.url ?? "");
      const target = connect(port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        socket.pipe(target).pipe(socket);
      });
      for (const one of [socket, target]) one.on("error", () => undefined);
    });
    const env = {
      HTTPS_PROXY: `http://127.0.0.1:${await listen(proxy)}`,
      NO_PROXY: "other.example.test",
    };
    const get = (host: string, through: Record<string, string>): Promise<string> =>
      new Promise((resolve, reject) => {
        const agent = clientSettings({ env: through }, "S3").config().requestHandler.httpsAgent;
        const done = (settle: () => void): void => {
          agent.destroy();
          settle();
        };
        request({ host, port, agent, ca: authority.caPem }, (response) =>
          response.on("data", (part: Buffer) => done(() => resolve(part.toString()))),
        )
          .on("error", (error) => done(() => reject(error)))
          .end();
      });
    expect(await get("s3.example.test", env)).toBe("there");
    expect(asked).toEqual([`s3.example.test:${port}`]);
    // This machine is never asked for through a proxy; a host that is excluded isn't either, and
    // has no address here.
    expect(await get("127.0.0.1", env)).toBe("there");
    await expect(get("other.example.test", env)).rejects.toMatchObject({ syscall: "getaddrinfo" });
    expect(asked).toHaveLength(1);
    await expect(
      get("s3.example.test", { HTTPS_PROXY: "ftp://user:hush@nowhere" }),
    ).rejects.toMatchObject({
      name: "ProxyRefusal",
      message: "HTTPS_PROXY holds no address of a proxy",
    });
  });
});
