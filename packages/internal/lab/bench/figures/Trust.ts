// Figure: what it costs to believe protobuf: extra requests, CPU of the check, decoding by numbers that were found.
import { createEngineClient, type ClientOptions, type PromiseEngineClient } from "@bytenite-engines/core/promise";
import { calibration, defaultSampleEvery } from "@bytenite-engines/core/trust";
import type { Figure, FigureRow } from "../Figure.ts";
import type { Effort } from "../Verdict.ts";
import { interleaved, type Sample } from "../Rounds.ts";
import { ratioOf, spreadOf } from "../Statistics.ts";
import { captured, startEngines, tag, token, type Speaks } from "../trust/ForeignEngines.ts";
import { reading, readingAll, readingByLibrary, wholeCall } from "../trust/Reading.ts";

/** Largest share of the CPU of a call that checking the digest may take. */
const shareLimit = 0.02;
/** Largest ratio of reading by numbers that were found to what protobuf-es takes to read by ours. */
const remappedLimit = 1;
/** A kind of answer that is not confirmed after so many calls does not get there. */
const maxCalls = 20;

const names: Readonly<Record<Speaks, string>> = {
  digest: "our digest",
  "our numbers": "our numbers, no digest",
  "other numbers": "other numbers, no digest",
};

const kinds = {
  list: (client: PromiseEngineClient) => client.withResponse.list(),
  get: (client: PromiseEngineClient) => client.withResponse.get(tag),
  status: (client: PromiseEngineClient) => client.withResponse.status(tag),
} as const;

interface Contact {
  /** Requests that the server got, call by call, until one was enough and came as protobuf. */
  readonly requests: ReadonlyArray<number>;
  readonly isConfirmed: boolean;
}

const contact = async (
  client: PromiseEngineClient,
  arrived: ReadonlyArray<unknown>,
  kind: keyof typeof kinds,
): Promise<Contact> => {
  const requests: Array<number> = [];
  while (requests.length < maxCalls) {
    const before = arrived.length;
    const { format } = await kinds[kind](client);
    requests.push(arrived.length - before);
    if (format === "protobuf" && requests.at(-1) === 1) return { requests, isConfirmed: true };
  }
  return { requests, isConfirmed: false };
};

const trustOf = (speaks: Speaks): NonNullable<ClientOptions["trust"]> =>
  speaks === "other numbers" ? { calibration: calibration() } : {};

const firstContact = async (speaks: Speaks, kind: keyof typeof kinds): Promise<FigureRow> => {
  await using registry = await startEngines(speaks);
  const client = createEngineClient({ baseUrl: registry.url, token, trust: trustOf(speaks) });
  const { requests, isConfirmed } = await contact(client, registry.requests, kind);
  return {
    name: `first contact, ${names[speaks]}: ${kind}`,
    cells: {
      calls: String(requests.length),
      "extra requests": String(registry.requests.length - requests.length),
      "most per call": String(Math.max(...requests)),
    },
    promised: isConfirmed && Math.max(...requests) <= 2,
  };
};

/** Calls once the numbers are certain: what is asked beyond one request each must be the samples. */
const settled = async (speaks: Speaks, calls: number, sampleEvery?: number): Promise<FigureRow> => {
  await using registry = await startEngines(speaks);
  const trust = { ...trustOf(speaks), ...(sampleEvery === undefined ? {} : { sampleEvery }) };
  const client = createEngineClient({ baseUrl: registry.url, token, trust });
  const { requests, isConfirmed } = await contact(client, registry.requests, "get");
  // What came before counts in the turn of the samples, but for the witnessed calls, from which on it is counted anew.
  const counted = requests.length - 1 - requests.findLastIndex((count) => count > 1);
  const before = registry.requests.length;
  for (let call = 0; call < calls; call++) await client.get(tag);
  const extra = registry.requests.length - before - calls;
  const samples = Math.floor((calls + counted) / (sampleEvery ?? defaultSampleEvery));
  return {
    name: `confirmed, ${names[speaks]}${sampleEvery === undefined ? "" : ", sampling off"}`,
    cells: { calls: String(calls), "extra requests": String(extra), "due samples": String(samples) },
    promised: isConfirmed && extra === samples,
  };
};

const cpuOf = (samples: ReadonlyMap<string, ReadonlyArray<Sample>>, name: string): ReadonlyArray<number> =>
  (samples.get(name) ?? []).map(({ cpuUs }) => cpuUs);

const reported = (own: ReadonlyArray<number>, stub: ReadonlyArray<number>): string =>
  `${spreadOf(own).median.toFixed(2)} (believing all: ${spreadOf(stub).median.toFixed(2)})`;

const work = async (effort: Effort): Promise<ReadonlyArray<FigureRow>> => {
  const rounds = effort === "quick" ? 8 : 60;
  const speeches: ReadonlyArray<Speaks> = ["digest", "our numbers", "other numbers"];
  const answers = new Map<Speaks, Awaited<ReturnType<typeof captured>>>();
  for (const speaks of speeches) answers.set(speaks, await captured(speaks));
  const ours = await captured("digest");
  const of = (speaks: Speaks) => answers.get(speaks) ?? ours;
  const remapped = "other numbers, sampling off";
  const read = await interleaved(
    [
      readingAll(ours),
      readingByLibrary(ours),
      ...speeches.map((speaks) => reading(speaks, speaks, of(speaks))),
      reading(remapped, "other numbers", of("other numbers"), Infinity),
    ],
    { rounds, calls: 5_000, concurrency: 1 },
  );
  const whole = await interleaved(
    speeches.map((speaks) => wholeCall(speaks, of(speaks))),
    { rounds, calls: 1_000, concurrency: 1 },
  );
  const stub = cpuOf(read, "believes all");
  const plainCall = cpuOf(whole, "digest");
  const rowOf = (speaks: Speaks): FigureRow => {
    const own = cpuOf(read, speaks);
    const call = cpuOf(whole, speaks);
    const share = spreadOf(own.map((value, round) => (100 * (value - (stub[round] ?? 0))) / (call[round] ?? 0)));
    return {
      name: `CPU, ${names[speaks]}`,
      cells: {
        "reading µs": reported(own, stub),
        "reading ratio": ratioOf(own, stub).median.toFixed(2),
        "call µs": spreadOf(call).median.toFixed(1),
        "call ratio": ratioOf(call, plainCall).median.toFixed(2),
        "share of a call": `${share.median.toFixed(2)} % (${share.lower.toFixed(2)} to ${share.upper.toFixed(2)})`,
      },
      ...(speaks === "digest" ? { promised: { excess: share.median / (100 * shareLimit), reference: call } } : {}),
    };
  };
  const own = cpuOf(read, remapped);
  const library = cpuOf(read, "protobuf-es");
  const ratio = ratioOf(own, library).median;
  const plain: ReadonlyArray<FigureRow> = [
    {
      name: `CPU, ${names["other numbers"]}, sampling off`,
      cells: { "reading µs": reported(own, stub), "reading ratio": ratioOf(own, stub).median.toFixed(2) },
    },
    {
      name: `CPU, ${names["other numbers"]}, sampling off, to protobuf-es reading ours`,
      cells: { "reading µs": spreadOf(library).median.toFixed(2), "reading ratio": ratio.toFixed(2) },
      promised: { excess: ratio / remappedLimit, reference: library },
    },
  ];
  return [...speeches.map(rowOf), ...plain];
};

export const trust: Figure = {
  name: "trust",
  title: "Believing protobuf",
  promise: `with our digest or confirmed numbers no extra request but for sampling, 1 in ${defaultSampleEvery}; the digest check under ${100 * shareLimit} % of the CPU of a call; other numbers, once found, read no slower than protobuf-es reads ours; first contact: at most one extra request per call until a kind of answer is confirmed.`,
  measure: async (effort) => {
    const calls = effort === "quick" ? 1_000 : 5_000;
    const rows: Array<FigureRow> = [];
    for (const speaks of ["digest", "our numbers", "other numbers"] as const) rows.push(await settled(speaks, calls));
    for (const speaks of ["digest", "other numbers"] as const) rows.push(await settled(speaks, calls, Infinity));
    for (const speaks of ["our numbers", "other numbers"] as const) {
      for (const kind of ["list", "get", "status"] as const) rows.push(await firstContact(speaks, kind));
    }
    rows.push(...(await work(effort)));
    const cells = ["calls", "extra requests", "due samples", "most per call"];
    return {
      columns: [...cells, "reading µs", "reading ratio", "call µs", "call ratio", "share of a call"],
      rows,
      notes: [
        "Requests are those that a registry on loopback got; it has two engines with nearly every field set, no two of them equal. `calls` of a first contact: up to the first one that took one request and came as protobuf.",
        "Reading: `readTrusted` of an answer that is in memory, by its trust with sampling on, and by a stub that believes all; the share of a call is the difference of the two, of the CPU of a call whose fetch answers at once (over a network the call costs more, the share is smaller).",
        "Ratios are round by round: of reading to the stub, of the call to the one with our digest. Other numbers are read in one pass, in which a number that is not certain has no meaning; the texts are held against where they used to stand. With sampling on, one answer in 500 is also read in JSON and learned from, which is most of the difference.",
      ],
    };
  },
};
