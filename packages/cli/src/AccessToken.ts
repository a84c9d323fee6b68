// Decides: which access token is sent: the one that is given, or one for the API key.
import { createEngineClient } from "@bytenite-engines/core/promise";
import { tokenOption } from "./Client.ts";
import { httpFetch, PlainHeaders } from "./HttpFetch.ts";
import type { Invocation } from "./Invocation.ts";
import type { Credentials } from "./settings/Credentials.ts";

const headers = new PlainHeaders(["content-type", "application/json"]) as unknown as Headers;
const emptyList = { headers, bytes: new TextEncoder().encode("{}") };

/**
 * The access token of credentials, exchanged for the API key when that is what there is; `refused` is one that the server
 * did not accept. It is what a client would send, so the exchange has a client's deadline, and its attempts unless others are
 * given. Rejects with EngineError.
 */
export const accessToken = async (
  { settings, notes, signal, directories }: Invocation,
  found: Credentials,
  {
    refused,
    attempts = Number(settings.of("attempts").value),
  }: { readonly refused?: string | undefined; readonly attempts?: number } = {},
): Promise<string> => {
  const option = await tokenOption(found, directories.cache);
  if (typeof option !== "function") return option ?? "";
  let token = "";
  const client = createEngineClient({
    baseUrl: settings.text("baseUrl") ?? "",
    format: "json",
    deadlineMs: Number(settings.of("deadline").value),
    retry: { maxAttempts: attempts },
    fetch: httpFetch,
    propagateTrace: false,
    token: option,
    // Only the exchange of the key is sent: the list that asks for it is answered here.
    onEvent: (event) => {
      if (event.endpoint === "credentials") notes.event(event);
    },
    middleware: [
      async ({ url, headers }) => {
        token = headers["authorization"] ?? "";
        return { ...emptyList, url, status: token === refused ? 401 : 200 };
      },
    ],
  });
  await client.list({}, { signal });
  return token;
};
