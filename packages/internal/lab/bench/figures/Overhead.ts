// Figure: overhead of clients over an immediate fetch.
import { engineAnswers } from "../call/EngineAnswers.ts";
import { everybody, type BenchFetch } from "../call/Clients.ts";
import type { Figure, FigureRow } from "../Figure.ts";
import { interleaved } from "../Rounds.ts";
import { spreadOf } from "../Statistics.ts";

const { protobuf, json, digest } = engineAnswers;

/** A fetch that has the answer already. */
const instant: BenchFetch = async (input, init) => {
  const headers = new Headers(input instanceof Request ? input.headers : init?.headers);
  const method = input instanceof Request ? input.method : init?.method;
  if (method === "POST") return new Response(protobuf, { headers: { "content-type": "application/proto" } });
  const isProtobuf = headers.get("accept") === "application/x-protobuf";
  const body = isProtobuf ? protobuf : json;
  return new Response(body, {
    headers: {
      "content-type": isProtobuf ? "application/x-protobuf" : "application/json",
      "content-length": String(body.length),
      ...digest,
    },
  });
};

export const overhead: Figure = {
  name: "overhead",
  title: "One GET against a fetch that answers at once",
  promise: "none; shows where the microseconds of a call go.",
  measure: async (effort) => {
    const rows: Array<FigureRow> = [];
    for (const concurrency of [1, 64]) {
      const extent = { rounds: effort === "quick" ? 3 : 60, calls: effort === "quick" ? 640 : 1_280, concurrency };
      const samples = await interleaved(everybody("http://127.0.0.1:1", instant), extent);
      const bare = samples.get("bare fetch + decode, protobuf") ?? [];
      for (const [name, own] of samples) {
        const added = own.map(({ cpuUs }, index) => cpuUs - (bare[index]?.cpuUs ?? Number.NaN));
        const { median, lower, upper } = spreadOf(added);
        rows.push({
          name: `${concurrency === 1 ? "alone" : `${concurrency} at once`}: ${name}`,
          cells: {
            "cpu µs": spreadOf(own.map(({ cpuUs }) => cpuUs)).median.toFixed(1),
            "more than bare, µs": median.toFixed(1),
            range: `${lower.toFixed(1)} to ${upper.toFixed(1)}`,
          },
        });
      }
    }
    return {
      columns: ["cpu µs", "more than bare, µs", "range"],
      rows,
      notes: ["Every row includes making a Response."],
    };
  },
};
