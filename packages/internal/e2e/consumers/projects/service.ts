// A service with the promise entry, without the DOM library.
import { apiKey } from "@bytenite-engines/core/api-key";
import { breaker } from "@bytenite-engines/core/breaker";
import { findDetails } from "@bytenite-engines/core/details";
import { createRawClient } from "@bytenite-engines/core/exchange";
import { hedging } from "@bytenite-engines/core/hedging";
import { createEngineClient, EngineError, type Fetch, type PromiseEngineClient } from "@bytenite-engines/core/promise";
import { memoryServer } from "@bytenite-engines/core/testing";
import { fieldNumbers, type Profile } from "@bytenite-engines/core/infer";
import { parseTag } from "@bytenite-engines/core/wire";
import { ErrorInfoSchema } from "@bytenite-engines/proto";

const fetch: Fetch = memoryServer().fetch;
export const client: PromiseEngineClient = createEngineClient({
  fetch,
  token: apiKey("a-key"),
  breaker: breaker(),
  hedging: hedging(),
});
export const clientOf = (profile: Profile): PromiseEngineClient =>
  createEngineClient({ fetch, protobufVerification: { fieldNumbers: [fieldNumbers(profile)] } });
export const exchanger = createRawClient({ fetch });

export const nameOf = async (text: string): Promise<string | undefined> => {
  try {
    const { data, headers } = await client.withResponse.get(text);
    return headers.get("x-name") ?? data.name;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return findDetails(error, ErrorInfoSchema)[0]?.reason ?? parseTag(text)?.name;
  }
};
