/** Reads vectors.json, which the Go program beside it makes (see its header); test code only. */

import { readFileSync } from "node:fs";

export interface VectorCase {
  name: string;
  certificate: Buffer;
  key: Buffer;
  roots: Buffer;
  checks: { dnsName: string; at: string; valid: boolean }[];
  /** What Go said the first time it refused. */
  error: string;
}

interface Document {
  go: string;
  blobs: string[];
  instants: string[];
  cases: {
    name: string;
    cert: number[];
    key: number[];
    roots: number[];
    checks: [string, string][];
    error?: string;
  }[];
}

export function readVectors(): { go: string; cases: VectorCase[] } {
  const document = JSON.parse(
    readFileSync(new URL("vectors.json", import.meta.url), "utf8"),
  ) as Document;
  const blobs = document.blobs.map(blobOf);
  const join = (ids: number[]): Buffer => Buffer.concat(ids.map((id) => blobs[id] as Buffer));
  return {
    go: document.go,
    cases: document.cases.map((entry) => ({
      name: entry.name,
      certificate: join(entry.cert),
      key: join(entry.key),
      roots: join(entry.roots),
      checks: entry.checks.flatMap(([dnsName, marks]) =>
        [...marks.matchAll(/(\d+)([+-])/g)].map(([, id, sign]) => ({
          dnsName,
          at: document.instants[Number(id)] as string,
          valid: sign === "+",
        })),
      ),
      error: entry.error ?? "",
    })),
  };
}

function blobOf(text: string): Buffer {
  if (text.startsWith("=")) return Buffer.from(text.slice(1), "latin1");
  if (text.startsWith("!")) return Buffer.from(text.slice(1), "base64");
  const colon = text.indexOf(":");
  return Buffer.from(pemBlock(text.slice(0, colon), text.slice(colon + 1)), "latin1");
}

/** PEM with lines of 64 characters, as Go writes it. */
export function pemBlock(label: string, base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return (
    `-----BEGIN ${label}-----\n` +
    `${lines.map((line) => `${line}\n`).join("")}-----END ${label}-----\n`
  );
}
