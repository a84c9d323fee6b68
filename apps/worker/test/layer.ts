// Stands where Workers Cache stands in production, which no emulator has: between the two entrypoints, by its documented rules.
import type { Rooms } from "../src/Rooms.ts";
import type { RequestContext } from "../src/Runtime.ts";
import { answerSealed } from "../src/SealedExchange.ts";
import type { SealedProps } from "../src/Runtime.ts";
import type { Clock } from "./edge.ts";

/** One call of the cached entrypoint. */
export interface Call {
  readonly key: string;
  readonly props: SealedProps;
  readonly url: string;
  readonly cached: boolean;
  readonly control: string | null;
}

export interface Layer {
  readonly calls: Array<Call>;
  /** The bytes that it keeps. */
  readonly kept: () => ReadonlyArray<Uint8Array>;
  /** What it does wrong. */
  fault: "none" | "ignores props" | "is broken" | "never forgets";
  readonly of: (rooms: Rooms) => NonNullable<RequestContext["exports"]>;
}

/** Several isolates, in several data centres, can stand before one of these. */
export const startLayer = (clock: Clock): Layer => {
  const entries = new Map<string, { body: Uint8Array<ArrayBuffer>; headers: Headers; untilMs: number }>();
  const layer: Layer = {
    calls: [],
    kept: () => [...entries.values()].map(({ body }) => body),
    fault: "none",
    of: (rooms) => ({
      SealedExchange: ({ props }) => ({
        fetch: async (request) => {
          if (layer.fault === "is broken") throw new Error("the layer is broken");
          // Path, query and props; neither the host nor Authorization.
          const { pathname, search } = new URL(request.url);
          const key = pathname + search + (layer.fault === "ignores props" ? "" : JSON.stringify(props));
          const call = { key, props, url: request.url };
          const entry = entries.get(key);
          if (entry !== undefined && (entry.untilMs > clock.ms || layer.fault === "never forgets")) {
            layer.calls.push({ ...call, cached: true, control: entry.headers.get("cache-control") });
            return new Response(entry.body, { headers: entry.headers });
          }
          const response = await answerSealed(request, props, rooms);
          const body = new Uint8Array(await response.arrayBuffer());
          const control = response.headers.get("cache-control");
          layer.calls.push({ ...call, cached: false, control });
          const lifetimeMs = lifetimeOf(control, response.status, request.headers.has("authorization"));
          if (lifetimeMs > 0) entries.set(key, { body, headers: response.headers, untilMs: clock.ms + lifetimeMs });
          return new Response(body, { status: response.status, headers: response.headers });
        },
      }),
    }),
  };
  return layer;
};

/** How long Workers Cache keeps an answer, in milliseconds, stale windows aside: its own defaults are what to beware of. */
const lifetimeOf = (control: string | null, status: number, authorized: boolean): number => {
  if (control === null) return status === 200 ? 7_200_000 : status === 404 ? 180_000 : 0;
  if (/no-store|private/.test(control)) return 0;
  if (authorized && !/public|s-maxage|must-revalidate/.test(control)) return 0;
  return Number(/max-age=(\d+)/.exec(control)?.[1] ?? 7_200) * 1_000;
};
