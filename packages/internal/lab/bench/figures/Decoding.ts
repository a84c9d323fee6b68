// Figure: decoding, compared with protobuf-es, protobufjs and JSON.parse.
import { create, fromBinary } from "@bufbuild/protobuf";
import { decode, encode, endpoints } from "@bytenite-engines/core/wire";
import protobuf from "protobufjs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { engineAnswers } from "../call/EngineAnswers.ts";
import type { Figure, FigureRow } from "../Figure.ts";
import { interleaved, type Contender } from "../Rounds.ts";
import { cpuColumns, cpuRows } from "./CallRows.ts";

const engine = fromBinary(endpoints.get.response, engineAnswers.protobuf);
const page = create(endpoints.list.response, {
  engines: Array.from({ length: 20 }, () => engine),
  pagination: { total: 20 },
});

/** The contract as protobufjs reads it. */
const stock = async (): Promise<protobuf.Root> => {
  const directory = fileURLToPath(new URL("../../../../../proto", import.meta.url));
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(directory, target);
  return root.load(["bytenite/developer/engine_messages.proto", "bytenite/engine/engine.proto"]);
};

/** Of the time of protobuf-es. */
const promisedRatio = 0.6;

const contender = (name: string, read: () => unknown): Contender => ({ name, call: async () => read() });

const contenders = (root: protobuf.Root, kind: "get" | "list"): ReadonlyArray<Contender> => {
  const schema = endpoints[kind].response;
  const message = kind === "get" ? engine : page;
  const bytes = encode(schema, message as never, "protobuf");
  const json = encode(schema, message as never, "json");
  const other = root.lookupType(schema.typeName);
  const utf8 = new TextDecoder();
  return [
    contender("core, protobuf", () => decode(schema, bytes, "protobuf")),
    contender("protobuf-es", () => fromBinary(schema, bytes)),
    contender("core, JSON", () => decode(schema, json, "json")),
    contender("protobufjs", () => other.decode(bytes)),
    contender("JSON.parse, nothing checked", () => JSON.parse(utf8.decode(json)) as unknown),
  ];
};

export const decoding: Figure = {
  name: "decoding",
  title: "Reading a body that is there",
  promise: `protobuf in at most ${promisedRatio.toFixed(2)} of the time that protobuf-es takes, whose types the messages are.`,
  measure: async (effort) => {
    const root = await stock();
    const rows: Array<FigureRow> = [];
    for (const kind of ["get", "list"] as const) {
      const calls = kind === "get" ? 5_000 : 1_000;
      const extent = { rounds: effort === "quick" ? 4 : 40, calls, concurrency: 1 };
      const samples = await interleaved(contenders(root, kind), extent);
      for (const row of cpuRows(samples, "protobuf-es", { "core, protobuf": promisedRatio }))
        rows.push({ ...row, name: `${kind === "get" ? "an engine" : "a list of 20"}: ${row.name}` });
    }
    return {
      columns: cpuColumns,
      rows,
      notes: [
        "protobufjs compiles decoders at run time, which Workers forbid. core checks JSON against the schema; JSON.parse does not.",
      ],
    };
  },
};
