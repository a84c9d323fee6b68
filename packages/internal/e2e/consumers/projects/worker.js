// A Worker with the promise entry and the cache rules.
import { createEngineClient } from "@bytenite-engines/core/promise";
import { requestDirectives } from "@bytenite-engines/http-cache";

export default {
  async fetch(request, { BASE_URL, TOKEN }) {
    const client = createEngineClient({ baseUrl: BASE_URL, token: TOKEN });
    const { data, mediaType } = await client.withResponse.list();
    const { noStore } = requestDirectives(request.headers.get("cache-control"), null);
    return Response.json({ mediaType, noStore, names: data.engines.map(({ name }) => name) });
  },
};
