/**
 * Timelines of issuances to ask both buckets about: the worked examples, then random ones from a
 * seed, on and off the grid of the limit, bursts and overshoots among them, and instants 1 ns
 * around what decides.
 */
import { execFileSync } from "node:child_process";

/** Nanoseconds are strings: JSON's numbers don't hold them. */
export interface Timeline {
  readonly count: number;
  readonly burst: number;
  readonly periodNs: string;
  readonly spends: readonly string[];
  readonly asks: readonly string[];
}

export interface Answer {
  readonly at: string;
  readonly allowed: boolean;
  readonly remaining: number;
  readonly retryInNs: string;
  readonly tat: string | null;
}

export interface Question {
  readonly timelines: readonly Timeline[];
  readonly names: readonly string[];
}

export interface Reply {
  readonly timelines: readonly (readonly Answer[])[];
  readonly domains: Readonly<Record<string, string>>;
}

const HOUR = 3_600_000_000_000n;
const WEEK = 168n * HOUR;
const START = 1_790_000_000_123_456_789n;

/**
 * Names whose registered domain isn't plain: private rules, wildcards, exceptions, suffixes,
 * addresses.
 */
const NAMES: readonly string[] = [
  ...(
    "foo.tail1234.ts.net Foo.Tail1.TS.net deep.er.tail9.ts.net *.tail1234.ts.net *.ts.net " +
    "a.b.c.ts.net b.c.ts.net c.ts.net ts.net net"
  ).split(" "),
  ...(
    "localhost foo.local host.docker.internal _x.example.com *.com xn--p1ai a.xn--p1ai " +
    "a.b.example.co.uk example.co.uk co.uk"
  ).split(" "),
  ...(
    "x.github.io github.io *.github.io www.ck foo.ck a.foo.ck *.foo.ck s3.amazonaws.com " +
    "x.s3.amazonaws.com"
  ).split(" "),
  ..."city.kawasaki.jp a.city.kawasaki.jp x.kawasaki.jp y.x.kawasaki.jp".split(" "),
  ..."1.2.3.4 ::1 2001:db8::1 2001:DB8:0:1::1 2001:db8:1:2:3:4:5:6".split(" "),
];

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): (below: bigint) => bigint {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return (below) => ((BigInt(next()) << 32n) | BigInt(next())) % below;
}

function timeline(
  count: bigint,
  burst: bigint,
  periodNs: bigint,
  spends: readonly bigint[],
  asks: readonly bigint[],
): Timeline {
  return {
    count: Number(count),
    burst: Number(burst),
    periodNs: `${periodNs}`,
    spends: spends.map(String),
    asks: asks.toSorted((a, b) => (a < b ? -1 : 1)).map(String),
  };
}

const times = <T>(n: bigint, make: (i: bigint) => T): T[] =>
  Array.from({ length: Number(n) }, (_, i) => make(BigInt(i)));

function worked(): Timeline[] {
  const slot = (168n * HOUR) / 5n;
  const late = START + (67n * HOUR) / 2n;
  return [
    timeline(
      5n,
      5n,
      WEEK,
      times(5n, (i) => START + i * HOUR),
      [START + 5n * HOUR, START + slot - 1n, START + slot, START + slot + 1n, START + WEEK],
    ),
    timeline(
      50n,
      50n,
      WEEK,
      times(30n, () => START),
      [START + 24n * HOUR],
    ),
    timeline(
      50n,
      50n,
      WEEK,
      times(50n, () => START),
      [START, START + WEEK / 50n - 1n, START + WEEK / 50n],
    ),
    timeline(
      5n,
      5n,
      WEEK,
      times(5n, () => late),
      [START + 34n * HOUR],
    ),
    timeline(5n, 5n, WEEK, [START, ...times(5n, () => late)], [START + 34n * HOUR]),
  ];
}

function random(seed: number): Timeline {
  const below = randomOf(seed);
  const between = (least: bigint, most: bigint): bigint => least + below(most - least + 1n);
  const limits: readonly (readonly [bigint, bigint, bigint])[] = [
    [5n, 5n, WEEK],
    [5n, 5n, WEEK],
    [5n, 5n, WEEK],
    [50n, 50n, WEEK],
    [300n, 300n, 3n * HOUR],
    [7n, 3n, WEEK + 1n],
    [between(1n, 9n), between(1n, 9n), between(10n, 1_000_000n)],
    [between(1n, 60n), between(1n, 60n), between(HOUR, 3n * WEEK)],
  ];
  const [count, burst, period] = limits[Number(below(8n))] ?? [5n, 5n, WEEK];
  const interval = period / count;
  const span =
    [interval, interval * burst, interval * burst * 3n, period][Number(below(4n))] ?? period;
  const wanted =
    burst < 20n
      ? ([0n, 1n, burst, burst + 1n, 2n * burst, 3n * burst][Number(below(6n))] ?? 0n)
      : between(burst - 2n, burst + 5n);
  let spends = times(wanted, () => START + below(span));
  if (below(5n) < 2n)
    spends = spends.map((spend) => START + ((spend - START) / interval) * interval);
  const one = spends[0];
  if (one !== undefined && below(3n) === 0n) spends.push(...times(between(1n, 3n), () => one));
  const near = one === undefined ? [] : [one - 1n, one, one + interval - 1n, one + interval];
  return timeline(count, burst, period, spends, [
    START - 1n,
    START + below(2n * span + 1n),
    START + span + interval * burst,
    ...near,
  ]);
}

/** The worked examples and `count` random timelines. */
export function createQuestion(seed: number, count: number): Question {
  return {
    timelines: [
      ...worked(),
      ...Array.from({ length: count }, (_, i) => random(seed * 100_003 + i)),
    ],
    names: NAMES,
  };
}

/** What the issuer's own code answers. */
export function askIssuer(program: string, question: Question): Reply {
  return JSON.parse(
    execFileSync(program, {
      input: JSON.stringify(question),
      maxBuffer: 1 << 28,
      encoding: "utf8",
    }),
  ) as Reply;
}
