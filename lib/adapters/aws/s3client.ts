/** The client of S3, made once a process. */
import { S3Client } from "@aws-sdk/client-s3";
import { type AwsWorld, clientSettings } from "./client.ts";

const clients = new Map<string, S3Client>();

export function s3Client(world: AwsWorld): S3Client {
  const { key, endpointNamed, config } = clientSettings(world, "S3");
  const known = clients.get(key);
  if (known !== undefined) return known;
  // Of an endpoint of one's own it isn't known whether its buckets have host names.
  const client = new S3Client({ ...config(), followRegionRedirects: true, ...(endpointNamed ? { forcePathStyle: true } : {}) });
  clients.set(key, client);
  return client;
}
