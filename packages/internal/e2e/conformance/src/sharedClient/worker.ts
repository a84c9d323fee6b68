// A Worker with clients at module scope.
import { AsyncLocalStorage } from "node:async_hooks";
import { EngineClient } from "@bytenite-engines/core";
import { apiKey } from "@bytenite-engines/core/api-key";
import { createEngineClient, EngineError, type ClientOptions, type Engine } from "@bytenite-engines/core/promise";
import * as Effect from "effect/Effect";
import * as ManagedRuntime from "effect/ManagedRuntime";

/** User of the request. */
const user = new AsyncLocalStorage<string>();
const userToken = (): string => `token-of-${user.getStore() ?? "nobody"}`;

/** Ways in which a client gets the credential of the user. */
const credentials: Readonly<Record<string, (baseUrl: string) => ClientOptions>> = {
  none: () => ({}),
  function: () => ({ token: userToken }),
  middleware: () => ({
    middleware: [(request, next) => next({ ...request, headers: { ...request.headers, Authorization: userToken() } })],
  }),
  "api-key": () => ({ token: apiKey("the-api-key") }),
  "api-key-of-user": () => ({ token: apiKey(() => `key-of-${user.getStore() ?? "nobody"}`) }),
};

let origin = "";
type Get = (tag: string) => Promise<Engine>;
const clients = new Map<string, Get>();

const clientOf = (entry: string, credential: string): Get => {
  const name = `${entry} ${credential}`;
  const known = clients.get(name);
  if (known !== undefined) return known;
  const baseUrl = `${origin}/v1/dev`;
  const options: ClientOptions = { baseUrl, format: "json", ...credentials[credential]?.(baseUrl) };
  const get = entry === "effect" ? effectGet(options) : promiseGet(options);
  clients.set(name, get);
  return get;
};

const promiseGet = (options: ClientOptions): Get => {
  const client = createEngineClient(options);
  return (tag) => client.get(tag);
};

const effectGet = (options: ClientOptions): Get => {
  const runtime = ManagedRuntime.make(EngineClient.layer(options));
  return (tag) => runtime.runPromise(Effect.flatMap(EngineClient, (client) => client.get(tag)));
};

/** `/ENTRY/CREDENTIAL/USER/TAG`: the engine, then a request of its own to show that the runtime still lets it. */
const answer = async (request: Request): Promise<Response> => {
  const [, entry = "", credential = "", name = "", tag = ""] = new URL(request.url).pathname.split("/");
  const get = clientOf(entry, credential);
  await fetch(`${origin}/arrived`);
  try {
    const engine = await user.run(name, () => get(tag));
    await fetch(`${origin}/after`);
    return Response.json({ name: engine.name, owner: engine.owner });
  } catch (error) {
    return Response.json({ error: error instanceof EngineError ? error.toJSON() : String(error) }, { status: 500 });
  }
};

export default {
  fetch: (request: Request, env: { readonly ORIGIN: string }): Promise<Response> => {
    origin = env.ORIGIN;
    return answer(request);
  },
};
