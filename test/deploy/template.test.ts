/** What is deployed, as AWS gets it: above all what no emulator shows. */
import { beforeAll, describe, expect, it } from "vitest";
import { FUNCTIONS } from "../../stack/names.ts";
import { packageStack, plainOf, rightsOf, type Packaged, type Template } from "./support.ts";

const KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";
const BOUNDARY = "arn:aws:iam::123456789012:policy/limits";
const SECRETS =
  "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:certkeep/prod";
const BUCKET = "arn:${AWS::Partition}:s3:::${StateBucket}";
const ROLES = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role";

const logs = (name: string): string =>
  "logs:CreateLogStream,logs:PutLogEvents on " +
  `arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:/aws/lambda/certkeep-prod-${name}:*:*`;
const capital = (name: string): string => `${name[0]?.toUpperCase()}${name.slice(1)}`;
const roleOf = (name: string): string => `${capital(name)}IamRoleLambdaExecution`;
const of = (template: Template, type: string): [string, Template["Resources"][string]][] =>
  Object.entries(template.Resources).filter(([, { Type }]) => Type === type);
const propertiesOf = (template: Template, id: string): Readonly<Record<string, unknown>> =>
  template.Resources[id]?.Properties ?? {};

let plain: Packaged;
let full: Packaged;

beforeAll(async () => {
  const files = {
    "certkeep.yaml": "recipients: []\n",
    "clusters/prod.yaml": "kubeconfig: prod.kubeconfig\n",
    "clusters/prod.kubeconfig": "canary",
    "prod.kubeconfig": "canary",
    "identity.txt": "canary",
  };
  [plain, full] = await Promise.all([
    packageStack({}, files),
    packageStack({
      backups: "s3",
      stateBucket: "adopted-bucket",
      kmsKey: KEY,
      topicKey: KEY,
      alarmEmail: "ops@example.com",
      permissionsBoundary: BOUNDARY,
      rolePath: "/teams/tls/",
      tags: "team=tls,cost=42",
      readRoles: "arn:aws:iam::123456789012:role/eks-*-read,own-read",
      restoreRoles: "own-restore",
      subnets: "subnet-11111111,subnet-22222222",
      securityGroups: "sg-33333333",
      httpsProxy: "http://proxy.example.com:3128",
      noProxy: "10.0.0.0/8",
      timeoutSeconds: "120",
      visibilitySeconds: "720",
      maxReceiveCount: "4",
      maximumConcurrency: "9",
      intervalMinutes: "30",
      logRetentionDays: "90",
      memoryMb: "1024",
    }),
  ]);
  for (const { code, said } of [plain, full]) if (code !== 0) throw new Error(said);
}, 400_000);

describe("what is packaged", () => {
  it("holds the function and certkeep.yaml, and no cluster, credential or identity", () => {
    expect(Object.keys(plain.files).toSorted()).toEqual([...FUNCTIONS].toSorted());
    for (const [name, files] of Object.entries(plain.files))
      expect(files.filter((file) => !file.endsWith(".map"))).toEqual([
        "certkeep.yaml",
        `functions/${name}.cjs`,
      ]);
  });
});

describe("what is refused before anything is made", () => {
  it.each<[string, Record<string, string>, Record<string, string>, RegExp]>([
    [
      "a misspelt parameter",
      { bakups: "s3" },
      {},
      /parameter "bakups" doesn't exist\. .*Did you mean backups\?/,
    ],
    [
      "a value that no parameter takes",
      { backups: "dynamodb" },
      {},
      /parameter backups is "dynamodb"\. It must be secretsmanager or s3/,
    ],
    [
      "a mistake in certkeep.yaml",
      {},
      { "certkeep.yaml": "recipints: []\n" },
      /certkeep\.yaml:1:1: recipints isn't a setting\. .*Did you mean "recipients"\?/,
    ],
  ])(
    "%s, without a stack trace",
    async (_, params, files, expected) => {
      const { code, said } = await packageStack(params, files);
      expect(code).not.toBe(0);
      expect(said).toMatch(expected);
      expect(said).not.toMatch(/^ +at /m);
    },
    200_000,
  );
});

describe("a certkeep.yaml", () => {
  it("that functions can't follow is refused before anything is made", async () => {
    const packaged = await packageStack(
      {},
      { "certkeep.yaml": "issuers: [{id: corp, anchors: corp.pem}]\n", "corp.pem": "" },
    );
    expect(packaged.code).not.toBe(0);
    expect(packaged.said).toContain("certkeep.yaml");
    expect(packaged.said).toContain(
      "issuers[0].anchors is a file. Use the certificates themselves",
    );
    expect(packaged.said).not.toMatch(/\n\s+at /);
  }, 200_000);

  it("may hold what is a person's: stores, identity and clusters in files are left out there", async () => {
    expect(
      (
        await packageStack(
          {},
          {
            "certkeep.yaml":
              "stores: {backups: 'file:copies'}\n" +
              "identity: file:id.txt\n" +
              "clusters: [{name: a, kubeconfig: kube}]\n",
          },
        )
      ).code,
    ).toBe(0);
  }, 200_000);
});

describe("stage and region", () => {
  it("are those of certkeep.yaml where nothing else is said, as init --aws wrote them", async () => {
    const { code, said, template } = await packageStack(
      {},
      { "certkeep.yaml": "recipients: []\naws: {region: eu-central-1, stage: qa}\n" },
      null,
    );
    expect({ code, said }).toMatchObject({
      code: 0,
      said: expect.stringContaining("nothing will be backed up"),
    });
    expect(propertiesOf(template, roleOf("audit"))["RoleName"]).toBe(
      "certkeep-qa-audit-eu-central-1",
    );
  }, 200_000);
});

describe("what each function may do", () => {
  const getSecret = (path: string): string => `secretsmanager:GetSecretValue on ${SECRETS}/${path}`;
  const listBucket = (bucket: string, ...prefixes: readonly string[]): string =>
    `s3:ListBucket on ${bucket} if StringLike s3:prefix ${prefixes.join(",")}`;
  const copies = `secretsmanager:GetSecretValue on ${SECRETS}/backups/*`;
  const names = "secretsmanager:ListSecrets on *";
  const states = `s3:GetObject on ${BUCKET}/state/*`;
  const write = (bucket: string, ...documents: readonly string[]): string =>
    `s3:PutObject on ${documents.map((name) => `${bucket}/state/${name}`).join(",")}`;
  const create = `secretsmanager:CreateSecret on ${SECRETS}/backups/*`;
  const receive = "sqs:ReceiveMessage,sqs:DeleteMessage,sqs:GetQueueAttributes on AuditQueue.Arn";

  it.each([
    [
      "dispatch",
      [
        names,
        states,
        listBucket(BUCKET, "state/*", "certkeep.yaml"),
        `s3:GetObject,s3:PutObject on ${BUCKET}/certkeep.yaml`,
        "sqs:SendMessage* on AuditQueue.Arn",
      ],
    ],
    [
      "audit",
      [
        receive,
        names,
        states,
        listBucket(BUCKET, "state/*"),
        copies,
        getSecret("clusters/*"),
        getSecret("sources/*"),
        write(BUCKET, "cluster-*", "ct-*"),
        create,
        `sts:AssumeRole on ${ROLES}/certkeep-*-read`,
      ],
    ],
    [
      "digest",
      [
        names,
        states,
        listBucket(BUCKET, "state/*"),
        getSecret("slack/*"),
        write(BUCKET, "digest.json"),
      ],
    ],
    [
      "drill",
      [
        names,
        states,
        listBucket(BUCKET, "state/*"),
        copies,
        getSecret("identity*"),
        write(BUCKET, "cluster-*", "drill.json"),
        `secretsmanager:DeleteSecret on ${SECRETS}/backups/*`,
      ],
    ],
    [
      "restore",
      [
        names,
        states,
        listBucket(BUCKET, "state/*"),
        copies,
        getSecret("identity*"),
        getSecret("clusters/*"),
        getSecret("restoring/*"),
        write(BUCKET, "cluster-*", "lease-*"),
        create,
        `sts:AssumeRole on ${ROLES}/certkeep-*-read,${ROLES}/certkeep-*-restore`,
      ],
    ],
  ])("%s, with copies in Secrets Manager", (name, rights) => {
    expect(rightsOf(plain.template, roleOf(name))).toEqual([logs(name), ...rights]);
  });

  const adopted = "arn:${AWS::Partition}:s3:::adopted-bucket";
  const key =
    `kms:Decrypt,kms:GenerateDataKey on ${KEY} if StringLike kms:ViaService ` +
    "s3.*.amazonaws.com*,secretsmanager.*.amazonaws.com*,sqs.*.amazonaws.com*";
  const inBucket = {
    states: `s3:GetObject on ${adopted}/state/*`,
    list: listBucket(adopted, "state/*", "backups/*"),
    copies: `s3:GetObject on ${adopted}/backups/*`,
    create: `s3:PutObject on ${adopted}/backups/* if Null s3:if-none-match false`,
  };
  const assume = `sts:AssumeRole on arn:aws:iam::123456789012:role/eks-*-read,${ROLES}/own-read`;
  it.each([
    [
      "dispatch",
      [
        names,
        inBucket.states,
        listBucket(adopted, "state/*", "certkeep.yaml"),
        `s3:GetObject,s3:PutObject on ${adopted}/certkeep.yaml`,
        "sqs:SendMessage* on AuditQueue.Arn",
        key,
      ],
    ],
    [
      "audit",
      [
        receive,
        names,
        inBucket.states,
        inBucket.list,
        inBucket.copies,
        getSecret("clusters/*"),
        getSecret("sources/*"),
        write(adopted, "cluster-*", "ct-*"),
        inBucket.create,
        assume,
        key,
      ],
    ],
    [
      "digest",
      [
        names,
        inBucket.states,
        listBucket(adopted, "state/*"),
        getSecret("slack/*"),
        write(adopted, "digest.json"),
        key,
      ],
    ],
    [
      "drill",
      [
        inBucket.states,
        inBucket.list,
        inBucket.copies,
        getSecret("identity*"),
        write(adopted, "cluster-*", "drill.json"),
        "s3:DeleteObject,s3:DeleteObjectVersion,s3:GetObjectVersion,s3:GetObjectRetention,s3:GetObjectLegalHold " +
          `on ${adopted}/backups/*`,
        `s3:ListBucketVersions on ${adopted} if StringLike s3:prefix backups/*`,
        key,
      ],
    ],
    [
      "restore",
      [
        names,
        inBucket.states,
        inBucket.list,
        inBucket.copies,
        getSecret("identity*"),
        getSecret("clusters/*"),
        getSecret("restoring/*"),
        write(adopted, "cluster-*", "lease-*"),
        inBucket.create,
        `${assume},${ROLES}/own-restore`,
        key,
      ],
    ],
  ])("%s, with copies in an adopted bucket, a key and roles of one's own", (name, rights) => {
    expect(rightsOf(full.template, roleOf(name))).toEqual([logs(name), ...rights]);
  });

  it("gives each function its own role, and makes none besides", () => {
    for (const name of FUNCTIONS)
      expect(plainOf(propertiesOf(plain.template, `${capital(name)}LambdaFunction`)["Role"])).toBe(
        `${roleOf(name)}.Arn`,
      );
    expect(
      of(plain.template, "AWS::IAM::Role")
        .map(([id]) => id)
        .toSorted(),
    ).toEqual(FUNCTIONS.map(roleOf).toSorted());
  });

  it(
    "never allows every action of a service, and every resource only to listing names, which " +
      "AWS limits to none",
    () => {
      for (const { template } of [plain, full]) {
        const all = of(template, "AWS::IAM::Role").flatMap(([id]) => rightsOf(template, id));
        expect(
          all.filter((line) => /(^|,)[a-z0-9]*:?\*( |,)/.test(line.split(" on ")[0] ?? "")),
        ).toEqual([]);
        expect(new Set(all.filter((line) => / on (.*,)?\*(,| |$)/.test(line)))).toEqual(
          new Set([names]),
        );
      }
    },
  );

  it("says who reads the identity, who reads restoring credentials, who removes, and who creates", () => {
    for (const { template } of [plain, full]) {
      const who = (pattern: RegExp): string[] =>
        FUNCTIONS.filter((name) =>
          rightsOf(template, roleOf(name)).some((line) => pattern.test(line)),
        );
      expect(who(/identity/)).toEqual(["drill", "restore"]);
      expect(who(/restoring\//)).toEqual(["restore"]);
      expect(who(/Delete(Secret|Object)/)).toEqual(["drill"]);
      expect(who(/(CreateSecret|PutObject on \S*\/backups)/)).toEqual(["audit", "restore"]);
      expect(
        who(/PutSecretValue|UpdateSecret|UpdateSecretVersionStage|PutResourcePolicy|RestoreSecret/),
      ).toEqual([]);
    }
  });

  it("puts boundary, path and tags on every role", () => {
    const roles = of(full.template, "AWS::IAM::Role");
    expect(roles.length).toBe(FUNCTIONS.length);
    for (const [, { Properties }] of roles)
      expect(Properties).toMatchObject({
        PermissionsBoundary: BOUNDARY,
        Path: "/teams/tls/",
        Tags: [
          { Key: "team", Value: "tls" },
          { Key: "cost", Value: "42" },
        ],
      });
    for (const [, { Properties }] of of(plain.template, "AWS::IAM::Role"))
      expect(Properties).toMatchObject({ Path: "/" });
    for (const [, { Properties }] of of(plain.template, "AWS::IAM::Role"))
      expect(Properties).not.toHaveProperty("PermissionsBoundary");
  });
});

describe("the functions", () => {
  it("run on Node 24 and arm64, without reserved concurrency, with what the parameters say", () => {
    for (const [packaged, wanted] of [
      [plain, { Timeout: 300, MemorySize: 512 }],
      [full, { Timeout: 120, MemorySize: 1024 }],
    ] as const) {
      const functions = of(packaged.template, "AWS::Lambda::Function");
      expect(functions.length).toBe(FUNCTIONS.length);
      for (const [, { Properties }] of functions) {
        expect(Properties).toMatchObject({
          Runtime: "nodejs24.x",
          Architectures: ["arm64"],
          ...wanted,
        });
        expect(Properties).not.toHaveProperty("ReservedConcurrentExecutions");
      }
    }
  });

  it("are told where things are, and only restore and drill where the identity is", () => {
    const environment = (packaged: Packaged, name: string): Record<string, string> =>
      Object.fromEntries(
        Object.entries(
          (
            propertiesOf(packaged.template, `${capital(name)}LambdaFunction`)["Environment"] as {
              Variables: Record<string, unknown>;
            }
          ).Variables,
        ).map(([key, value]) => [key, plainOf(value)]),
      );
    expect(environment(plain, "dispatch")).toEqual({
      NODE_OPTIONS: "--enable-source-maps",
      CERTKEEP_STAGE: "prod",
      CERTKEEP_STATE: "s3://${StateBucket}/state",
      CERTKEEP_BACKUPS: "secretsmanager://certkeep/prod/backups",
      CERTKEEP_REGISTRY: "secretsmanager://certkeep/prod",
      CERTKEEP_INTERVAL_MINUTES: "15",
      CERTKEEP_RESTORE_FUNCTION: "certkeep-prod-restore",
      CERTKEEP_TOPIC: "AlarmTopic",
      CERTKEEP_QUEUE_URL: "AuditQueue",
      CERTKEEP_PUBLISH: "s3://${StateBucket}/certkeep.yaml",
    });
    expect(environment(full, "audit")).toMatchObject({
      CERTKEEP_STATE: "s3://adopted-bucket/state",
      CERTKEEP_BACKUPS: "s3://adopted-bucket/backups",
      CERTKEEP_INTERVAL_MINUTES: "30",
      CERTKEEP_KMS_KEY: KEY,
      HTTPS_PROXY: "http://proxy.example.com:3128",
      NODE_USE_ENV_PROXY: "1",
      NO_PROXY: "10.0.0.0/8",
    });
    expect(environment(full, "dispatch")["CERTKEEP_PUBLISH"]).toBe(
      "s3://adopted-bucket/certkeep.yaml",
    );
    expect(
      FUNCTIONS.filter(
        (name) =>
          environment(plain, name)["CERTKEEP_IDENTITY"] ===
          "secretsmanager://certkeep/prod/identity",
      ),
    ).toEqual(["drill", "restore"]);
    expect(FUNCTIONS.filter((name) => "HTTPS_PROXY" in environment(plain, name))).toEqual([]);
  });

  it("are placed in a VPC where one is given, and nowhere else", () => {
    for (const [, { Properties }] of of(full.template, "AWS::Lambda::Function"))
      expect(Properties["VpcConfig"]).toEqual({
        SubnetIds: ["subnet-11111111", "subnet-22222222"],
        SecurityGroupIds: ["sg-33333333"],
      });
    for (const name of FUNCTIONS)
      expect(
        JSON.stringify(propertiesOf(full.template, roleOf(name))["ManagedPolicyArns"]),
      ).toContain("service-role/AWSLambdaVPCAccessExecutionRole");
    for (const [, { Properties }] of of(plain.template, "AWS::Lambda::Function"))
      expect(Properties).not.toHaveProperty("VpcConfig");
    for (const name of FUNCTIONS)
      expect(propertiesOf(plain.template, roleOf(name))["ManagedPolicyArns"]).toEqual([]);
  });

  it(
    "start on schedules and from the queue, one message at a time, and an invocation nobody " +
      "waits for isn't done twice",
    () => {
      const rates = (packaged: Packaged): Record<string, unknown> =>
        Object.fromEntries(
          of(packaged.template, "AWS::Events::Rule").map(([id, { Properties }]) => [
            id.replace(/EventsRule.*/, ""),
            Properties["ScheduleExpression"],
          ]),
        );
      expect(rates(plain)).toEqual({
        Dispatch: "rate(15 minutes)",
        Digest: "rate(5 minutes)",
        Drill: "rate(7 days)",
      });
      expect(rates(full)).toEqual({
        Dispatch: "rate(30 minutes)",
        Digest: "rate(5 minutes)",
        Drill: "rate(7 days)",
      });
      const [mapping] = of(full.template, "AWS::Lambda::EventSourceMapping");
      expect(mapping?.[1].Properties).toMatchObject({
        BatchSize: 1,
        EventSourceArn: { "Fn::GetAtt": ["AuditQueue", "Arn"] },
        FunctionResponseTypes: ["ReportBatchItemFailures"],
        ScalingConfig: { MaximumConcurrency: 9 },
      });
      for (const name of ["dispatch", "digest", "restore"])
        expect(propertiesOf(plain.template, `${capital(name)}LambdaEvConf`)).toMatchObject({
          MaximumRetryAttempts: 0,
        });
    },
  );

  it("have logs that end", () => {
    for (const [packaged, days] of [
      [plain, 30],
      [full, 90],
    ] as const) {
      const groups = of(packaged.template, "AWS::Logs::LogGroup");
      expect(groups.length).toBe(FUNCTIONS.length);
      for (const [, { Properties }] of groups) expect(Properties["RetentionInDays"]).toBe(days);
    }
  });
});

describe("what holds data", () => {
  it(
    "is a bucket that outlives the stack: versioned, encrypted, private, of a generated name, " +
      "with old versions for 30 days",
    () => {
      const bucket = plain.template.Resources["StateBucket"];
      expect(bucket).toMatchObject({
        DeletionPolicy: "Retain",
        UpdateReplacePolicy: "Retain",
        Properties: {
          VersioningConfiguration: { Status: "Enabled" },
          BucketEncryption: {
            ServerSideEncryptionConfiguration: [
              { ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } },
            ],
          },
          PublicAccessBlockConfiguration: {
            BlockPublicAcls: true,
            BlockPublicPolicy: true,
            IgnorePublicAcls: true,
            RestrictPublicBuckets: true,
          },
          OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
        },
      });
      expect(bucket?.Properties).not.toHaveProperty("BucketName");
      expect(bucket?.Properties["LifecycleConfiguration"]).toMatchObject({
        Rules: expect.arrayContaining(
          (
            [
              ["state/", 30],
              ["certkeep.yaml", 30],
              ["backups/", 90],
            ] as const
          ).map(([Prefix, NoncurrentDays]) =>
            expect.objectContaining({
              Prefix,
              NoncurrentVersionExpiration: { NoncurrentDays },
            }),
          ),
        ) as unknown,
      });
      expect(JSON.stringify(bucket?.Properties["LifecycleConfiguration"])).not.toContain(
        "ExpirationInDays",
      );
    },
  );

  it("takes TLS alone, also once the stack is gone", () => {
    const policy = plain.template.Resources["StateBucketPolicy"];
    expect(policy).toMatchObject({ DeletionPolicy: "Retain", UpdateReplacePolicy: "Retain" });
    expect(
      (
        propertiesOf(plain.template, "StateBucketPolicy")["PolicyDocument"] as {
          Statement: unknown;
        }
      ).Statement,
    ).toEqual([
      {
        Sid: "TlsOnly",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [{ "Fn::GetAtt": ["StateBucket", "Arn"] }, { "Fn::Sub": "${StateBucket.Arn}/*" }],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ]);
  });

  it("is an adopted bucket where one is named, of which the stack makes and changes nothing", () => {
    expect(of(full.template, "AWS::S3::Bucket").map(([id]) => id)).toEqual([
      "ServerlessDeploymentBucket",
    ]);
    expect(of(full.template, "AWS::S3::BucketPolicy").map(([id]) => id)).toEqual([
      "ServerlessDeploymentBucketPolicy",
    ]);
    expect(JSON.stringify(full.template)).not.toContain('StateBucket"}');
    expect(full.template.Outputs["ConfigUrl"]?.Value).toBe("s3://adopted-bucket/certkeep.yaml");
  });

  it("is encrypted with a key of one's own where there is one", async () => {
    const { template } = await packageStack({ kmsKey: KEY });
    expect(propertiesOf(template, "StateBucket")["BucketEncryption"]).toEqual({
      ServerSideEncryptionConfiguration: [
        {
          ServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: KEY },
          BucketKeyEnabled: true,
        },
      ],
    });
    for (const id of ["AuditQueue", "DeadLetters"])
      expect(propertiesOf(template, id)).toMatchObject({ KmsMasterKeyId: KEY });
    expect(propertiesOf(template, "AlarmTopic")).not.toHaveProperty("KmsMasterKeyId");
    for (const name of FUNCTIONS)
      expect(
        rightsOf(template, roleOf(name)).filter((line) => line.startsWith("kms:")).length,
      ).toBe(1);
    for (const name of FUNCTIONS)
      expect(
        rightsOf(plain.template, roleOf(name)).filter((line) => line.startsWith("kms:")),
      ).toEqual([]);
  }, 400_000);
});

describe("the queue", () => {
  it(
    "hides a message for six time-outs at least, and gives up after as many receipts as it is " +
      "told",
    () => {
      expect(propertiesOf(plain.template, "AuditQueue")).toMatchObject({
        SqsManagedSseEnabled: true,
        VisibilityTimeout: 1800,
        RedrivePolicy: {
          deadLetterTargetArn: { "Fn::GetAtt": ["DeadLetters", "Arn"] },
          maxReceiveCount: 3,
        },
      });
      expect(propertiesOf(full.template, "AuditQueue")).toMatchObject({
        KmsMasterKeyId: KEY,
        VisibilityTimeout: 720,
        RedrivePolicy: { maxReceiveCount: 4 },
      });
      expect(propertiesOf(plain.template, "DeadLetters")).toMatchObject({
        SqsManagedSseEnabled: true,
        MessageRetentionPeriod: 1_209_600,
      });
    },
  );

  it("takes TLS alone, dead letters too", () => {
    const denied = of(plain.template, "AWS::SQS::QueuePolicy").map(([, { Properties }]) => ({
      queues: (Properties["Queues"] as unknown[]).map(plainOf),
      statement: (Properties["PolicyDocument"] as { Statement: unknown[] }).Statement,
    }));
    expect(denied).toEqual(
      ["AuditQueue", "DeadLetters"].map((id) => ({
        queues: [id],
        statement: [
          {
            Sid: "TlsOnly",
            Effect: "Deny",
            Principal: "*",
            Action: "sqs:*",
            Resource: { "Fn::GetAtt": [id, "Arn"] },
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      })),
    );
  });
});

describe("alarms", () => {
  it("fire on what needs a person; the one on silence also when nothing is heard", () => {
    const alarms = of(plain.template, "AWS::CloudWatch::Alarm").map(
      ([, { Properties }]) => Properties,
    );
    const line = (alarm: Readonly<Record<string, unknown>>): string =>
      `${String(alarm["Namespace"])} ${String(alarm["MetricName"])} ` +
      `${(alarm["Dimensions"] as { Name: string; Value: unknown }[]).map(({ Name, Value }) => `${Name}=${plainOf(Value)}`).join(",")} ` +
      `${String(alarm["Statistic"])} ${String(alarm["Period"])} ` +
      `${String(alarm["TreatMissingData"])}`;
    expect(alarms.map(line)).toEqual([
      "AWS/SQS ApproximateNumberOfMessagesVisible QueueName=DeadLetters.QueueName Maximum 300 " +
        "notBreaching",
      "Certkeep AuditingStalled stage=prod Maximum 900 breaching",
      "Certkeep DigestsUndelivered stage=prod Maximum 900 notBreaching",
      "Certkeep DrillFailed stage=prod Maximum 3600 ignore",
      ...FUNCTIONS.map(
        (name) =>
          `AWS/Lambda Errors FunctionName=${capital(name)}LambdaFunction Sum ` +
          `${name === "dispatch" ? 1200 : 900} notBreaching`,
      ),
    ]);
    for (const alarm of alarms)
      expect(alarm).toMatchObject({
        Threshold: 0,
        ComparisonOperator: "GreaterThanThreshold",
        EvaluationPeriods: 1,
        AlarmActions: [{ Ref: "AlarmTopic" }],
      });
  });

  it(
    "go to a topic that CloudWatch may publish to: under no key of AWS's own, which it can't " +
      "use",
    () => {
      expect(propertiesOf(plain.template, "AlarmTopic")).toEqual({});
      expect(propertiesOf(full.template, "AlarmTopic")).toEqual({ KmsMasterKeyId: KEY });
      const { Statement } = propertiesOf(plain.template, "AlarmTopicPolicy")["PolicyDocument"] as {
        Statement: unknown[];
      };
      expect(Statement).toEqual([
        {
          Sid: "Alarms",
          Effect: "Allow",
          Principal: { Service: "cloudwatch.amazonaws.com" },
          Action: "sns:Publish",
          Resource: { Ref: "AlarmTopic" },
          Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
        },
        {
          Sid: "TlsOnly",
          Effect: "Deny",
          Principal: "*",
          Action: "sns:Publish",
          Resource: { Ref: "AlarmTopic" },
          Condition: { Bool: { "aws:SecureTransport": "false" } },
        },
      ]);
      expect(
        of(full.template, "AWS::SNS::Subscription").map(([, { Properties }]) => Properties),
      ).toEqual([
        { TopicArn: { Ref: "AlarmTopic" }, Protocol: "email", Endpoint: "ops@example.com" },
      ]);
      expect(of(plain.template, "AWS::SNS::Subscription")).toEqual([]);
    },
  );
});

describe("outputs", () => {
  it("say what to do next", () => {
    const values = Object.fromEntries(
      Object.entries(plain.template.Outputs).map(([name, { Value }]) => [name, plainOf(Value)]),
    );
    expect(values).toMatchObject({
      ConfigUrl: "s3://${StateBucket}/certkeep.yaml",
      Next3Doctor: "certkeep doctor --config s3://${StateBucket}/certkeep.yaml",
      Next2Alarms: expect.stringContaining(
        "aws sns subscribe --region ${AWS::Region} --topic-arn ${AlarmTopic} --protocol email",
      ),
      Next4Restore:
        "npx serverless invoke -f restore --stage prod --data " +
        `'{"cluster":"CLUSTER","names":["NAME"]}'`,
    });
    expect(full.template.Outputs).not.toHaveProperty("Next2Alarms");
  });
});
