// The Worker: checks its settings when it starts, and hands each request to the flow.
import { env as variables, WorkerEntrypoint } from "cloudflare:workers";
import { parseConfig } from "./Config.ts";
import { handle } from "./Handler.ts";
import { createRooms } from "./Isolate.ts";
import type { Rooms } from "./Rooms.ts";
import { dataCentreCache, type AnalyticsDataset, type RequestContext, type ServiceBinding } from "./Runtime.ts";
import { answerSealed } from "./SealedExchange.ts";
import type { SealedProps } from "./Runtime.ts";

/** Bindings of the Worker; see wrangler.jsonc for each, and for the variables. */
interface Env {
  readonly UPSTREAM?: ServiceBinding;
  readonly ANALYTICS?: AnalyticsDataset;
}

// A deployment that cannot work is refused before it gets its first request.
const config = parseConfig(variables);

let rooms: Rooms | undefined;

const roomsWith = ({ UPSTREAM, ANALYTICS }: Env): Rooms =>
  (rooms ??= createRooms({
    config,
    fetch: (url, init) => (UPSTREAM === undefined ? fetch(url, init) : UPSTREAM.fetch(url, init)),
    store: dataCentreCache(),
    analytics: ANALYTICS,
    now: Date.now,
  }));

export default {
  fetch(request: Request, env: Env, context: RequestContext): Response | Promise<Response> {
    return handle(request, roomsWith(env), context);
  },
};

/** The one entrypoint that Workers Cache may be in front of, where it is switched on; the default one never. */
export class SealedExchange extends WorkerEntrypoint {
  declare protected readonly ctx: { readonly props: SealedProps };
  declare protected readonly env: Env;

  fetch(request: Request): Promise<Response> {
    return answerSealed(request, this.ctx.props, roomsWith(this.env));
  }
}
