// A page with the promise entry.
import { createEngineClient } from "@bytenite-engines/core/promise";

const client = createEngineClient({ baseUrl: new URL("/v1/dev", location.href).href, token: "local-alice" });
const { data, mediaType } = await client.withResponse.list();
document.body.textContent = JSON.stringify({ mediaType, names: data.engines.map(({ name }) => name) });
document.body.id = "done";
