/**
 * Packages the stack as `npx serverless package` does, with nothing in its functions: what counts
 * here is the template.
 */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { FUNCTIONS } from "../../stack/names.ts";
import { runProgram } from "../e2e/support/run.ts";

const ROOT = join(import.meta.dirname, "../..");

export interface Template {
  readonly Resources: Readonly<
    Record<
      string,
      {
        readonly Type: string;
        readonly Properties: Readonly<Record<string, unknown>>;
        readonly DeletionPolicy?: string;
        readonly UpdateReplacePolicy?: string;
      }
    >
  >;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

export interface Packaged {
  readonly code: number | null;
  readonly said: string;
  readonly template: Template;
  /** Names of the files in each function's package. */
  readonly files: Readonly<Record<string, readonly string[]>>;
}

/**
 * `files` lie beside serverless.yml, as they would on somebody's machine; without `stage` it is
 * what they say.
 */
export async function packageStack(
  params: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
  stage: string | null = "prod",
): Promise<Packaged> {
  const folder = mkdtempSync(join(tmpdir(), "certkeep-stack-"));
  try {
    for (const name of ["serverless.yml", "stack", "package.json"])
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    for (const name of ["node_modules", "lib"]) symlinkSync(join(ROOT, name), join(folder, name));
    const handlers = Object.fromEntries(
      FUNCTIONS.map((name) => [
        `functions/${name}.ts`,
        "export const handler = async (): Promise<void> => {};\n",
      ]),
    );
    for (const [name, text] of Object.entries({ ...handlers, ...files })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const ended = await runProgram(
      process.execPath,
      [
        join(ROOT, "node_modules/osls/bin/serverless.js"),
        "package",
        ...(stage === null ? [] : ["--stage", stage]),
        ...Object.entries(params).map(([name, value]) => `--param=${name}=${value}`),
      ],
      {
        cwd: folder,
        env: {
          PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
          HOME: folder,
          CI: "1",
          AWS_REGION: "eu-west-1",
        },
        timeoutMs: 180_000,
      },
    );
    const made = join(folder, ".serverless");
    const done = ended.code === 0;
    return {
      code: ended.code,
      said: ended.stdout + ended.stderr,
      template: done
        ? (JSON.parse(
            readFileSync(join(made, "cloudformation-template-update-stack.json"), "utf8"),
          ) as Template)
        : { Resources: {}, Outputs: {} },
      files: done
        ? Object.fromEntries(
            readdirSync(made)
              .filter((name) => name.endsWith(".zip"))
              .map((name) => [name.slice(0, -4), namesInZip(readFileSync(join(made, name)))]),
          )
        : {},
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Names in the central directory of a zip (APPNOTE 4.3.12). */
export function namesInZip(zip: Buffer): string[] {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  const names: string[] = [];
  for (
    let at = zip.readUInt32LE(end + 16), left = zip.readUInt16LE(end + 10);
    left > 0;
    left -= 1
  ) {
    const length = zip.readUInt16LE(at + 28);
    names.push(zip.toString("utf8", at + 46, at + 46 + length));
    at += 46 + length + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return names.toSorted();
}

/**
 * A value of CloudFormation as one line: `Fn::Sub` as it stands, `Fn::GetAtt` as `A.Arn`, `Ref` as
 * `A`.
 */
export function plainOf(value: unknown): string {
  if (typeof value === "string") return value;
  const {
    Ref: ref,
    "Fn::Sub": sub,
    "Fn::GetAtt": att,
  } = value as { Ref?: string; "Fn::Sub"?: string; "Fn::GetAtt"?: readonly string[] };
  return ref ?? sub ?? att?.join(".") ?? JSON.stringify(value);
}

interface RawStatement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The statements of a role, a line each: `actions on resources [if conditions]`. */
export function rightsOf(template: Template, role: string): string[] {
  const policies = template.Resources[role]?.Properties["Policies"] as readonly {
    PolicyDocument: { Statement: readonly RawStatement[] };
  }[];
  return policies.flatMap(({ PolicyDocument: { Statement } }) =>
    Statement.map(({ Effect, Action, Resource, Condition }) => {
      const when =
        Condition === undefined
          ? ""
          : ` if ${Object.entries(Condition)
              .map(([operator, keys]) =>
                Object.entries(keys)
                  .map(([key, values]) => `${operator} ${key} ${[values].flat().join(",")}`)
                  .join(" and "),
              )
              .join(" and ")}`;
      return (
        `${Effect === "Allow" ? "" : `${Effect} `}${[Action].flat().join(",")} on ` +
        `${[Resource].flat().map(plainOf).join(",")}${when}`
      );
    }),
  );
}
