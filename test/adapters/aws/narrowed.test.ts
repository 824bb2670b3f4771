/**
 * A role that may list one prefix alone: S3 answers 403 for what isn't there, and a listing of just
 * that name tells.
 */
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { createS3States } from "../../../lib/adapters/aws/s3stores.ts";
import { startFakeAws, type AwsAnswer, type AwsRequest, type FakeAws } from "../../support/aws.ts";

let aws: FakeAws;
beforeAll(async () => {
  aws = await startFakeAws();
});
afterAll(() => aws?.stop());
beforeEach(() => aws.reset());

const denied: AwsAnswer = {
  status: 403,
  headers: { "content-type": "application/xml" },
  body: '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>',
};
const isList = ({ url }: AwsRequest): boolean => url.searchParams.has("list-type");
const states = () => createS3States("s3://bucket/state", aws.world);

it("reads nothing where its name isn't listed, and asks for that name alone", async () => {
  await states().write("cluster-lab2", "{}", null);
  aws.fault((request) => (request.method === "GET" && !isList(request) ? denied : null));
  expect(await states().read("cluster-lab")).toBeNull();
  expect(aws.requests.filter(isList).map(({ url }) => url.searchParams.get("prefix"))).toEqual([
    "state/cluster-lab.json",
  ]);
});

it("is denied where it is listed, or where the listing is denied too", async () => {
  await states().write("cluster-lab", "{}", null);
  aws.fault((request) => (request.method === "GET" && !isList(request) ? denied : null));
  await expect(states().read("cluster-lab")).rejects.toMatchObject({ code: "store_unavailable" });
  aws.fault(() => denied);
  await expect(states().read("cluster-other")).rejects.toMatchObject({
    code: "store_unavailable",
    message: expect.stringContaining("s3:GetObject"),
  });
});
