// Figure: upstream requests for a thousand identical concurrent ones.
import { readFile } from "node:fs/promises";
import { cacheBackend, startWorkerd } from "@bytenite-engines/test-kit";
import type { Figure } from "../Figure.ts";
import { builtWorker, listOf, startUpstream } from "./EdgeStack.ts";
import { Connection } from "./Load.ts";

export const edgeStampede: Figure = {
  name: "edge-stampede",
  title: "A thousand requests for one key at once",
  promise: "one request to the upstream.",
  measure: async () => {
    const upstream = await startUpstream();
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend },
      {
        name: "edge",
        script: await readFile(builtWorker, "utf8"),
        cache: "cache",
        variables: { UPSTREAM_URL: upstream.url },
      },
    ]);
    const port = standalone.ports["edge"] ?? 0;
    const connections = await Connection.openMany(port, 1_000);
    const statuses = await Promise.all(connections.map((connection) => connection.send(listOf("bench-token"))));
    for (const connection of connections) connection.close();
    upstream.stop();
    const good = statuses.filter((status) => status === 200).length;
    return {
      columns: ["answered 200", "upstream requests"],
      rows: [
        {
          name: "edge proxy",
          cells: { "answered 200": `${good}`, "upstream requests": `${upstream.count()}` },
          promised: good === 1_000 && upstream.count() === 1,
        },
      ],
      notes: [],
    };
  },
};
