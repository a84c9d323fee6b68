// The Worker: checks its settings when it starts, and hands each request to the flow.
import { env as variables } from "cloudflare:workers";
import { parseConfig } from "./Config.ts";
import { handle } from "./Handler.ts";
import { createRooms } from "./Isolate.ts";
import type { Rooms } from "./Rooms.ts";
import { dataCentreCache, type AnalyticsDataset, type RequestContext, type ServiceBinding } from "./Runtime.ts";

/** Bindings of the Worker; see wrangler.jsonc for each, and for the variables. */
interface Env {
  readonly UPSTREAM?: ServiceBinding;
  readonly ANALYTICS?: AnalyticsDataset;
}

// A deployment that cannot work is refused before it gets its first request.
const config = parseConfig(variables);

let rooms: Rooms | undefined;

export default {
  fetch(request: Request, { UPSTREAM, ANALYTICS }: Env, context: RequestContext): Response | Promise<Response> {
    rooms ??= createRooms({
      config,
      fetch: (url, init) => (UPSTREAM === undefined ? fetch(url, init) : UPSTREAM.fetch(url, init)),
      store: dataCentreCache(),
      analytics: ANALYTICS,
      now: Date.now,
    });
    return handle(request, rooms, context);
  },
};
