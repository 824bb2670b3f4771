/** The client of S3. */
import { S3Client } from "@aws-sdk/client-s3";
import { clientsOf } from "./client.ts";

// Of an endpoint of one's own it isn't known whether its buckets have host names.
export const s3Client = clientsOf(
  "S3",
  ({ endpointNamed, config }) =>
    new S3Client({
      ...config(),
      followRegionRedirects: true,
      ...(endpointNamed ? { forcePathStyle: true } : {}),
    }),
);
