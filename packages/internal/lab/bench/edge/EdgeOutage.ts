// Figure: responses during an upstream outage.
import { readFile } from "node:fs/promises";
import { cacheBackend, startWorkerd } from "@bytenite-engines/test-kit";
import type { Figure } from "../Figure.ts";
import { builtWorker, listOf, serveUpstream } from "./EdgeStack.ts";
import { Connection } from "./Load.ts";

/** Requests a second while the upstream is down. */
const outageRate = 200;

export const edgeOutage: Figure = {
  name: "edge-outage",
  title: "The upstream down for a minute, under load",
  promise: "every answer within the stale window served, no error, at most a few probes sent.",
  measure: async (effort) => {
    const forMs = effort === "quick" ? 4_000 : 60_000;
    let isDown = false;
    let probes = 0;
    const upstream = await serveUpstream((_request, response) => {
      if (isDown) {
        probes += 1;
        response.destroy();
        return;
      }
      response.setHeader("content-type", "application/json");
      response.end('{"engines":[],"pagination":{"total":0}}');
    });
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend },
      {
        name: "edge",
        script: await readFile(builtWorker, "utf8"),
        cache: "cache",
        variables: {
          UPSTREAM_URL: upstream.url,
          LIST_FRESH_SECONDS: "1",
          LIST_STALE_WHILE_REVALIDATE_SECONDS: "1",
          LOG: "off",
        },
      },
    ]);
    const connection = await Connection.open(standalone.ports["edge"] ?? 0);
    const keys = Array.from({ length: 20 }, (_, index) =>
      listOf(`token-${index % 5}`, `?pagination.limit=${index + 1}`),
    );
    for (const key of keys) await connection.send(key);
    isDown = true;
    const statuses = new Map<number, number>();
    const until = performance.now() + forMs;
    for (let count = 0; performance.now() < until; count++) {
      const status = await connection.send(keys[count % keys.length] ?? "");
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 1_000 / outageRate));
    }
    connection.close();
    upstream.stop();
    const errors = [...statuses].reduce((sum, [status, count]) => sum + (status === 200 ? 0 : count), 0);
    // Some until the breaker opens, then one in ten seconds.
    const fewProbes = 10 + forMs / 10_000;
    return {
      columns: ["seconds", "answered 200", "errors", "requests that reached the upstream"],
      rows: [
        {
          name: "edge proxy, 20 keys of 5 tokens",
          cells: {
            seconds: `${forMs / 1_000}`,
            "answered 200": `${statuses.get(200) ?? 0}`,
            errors: `${errors}`,
            "requests that reached the upstream": `${probes}`,
          },
          promised: errors === 0 && probes <= fewProbes,
        },
      ],
      notes: ["Fresh for 1 s, stale-while-revalidate for 1 s, then stale-if-error."],
    };
  },
};
