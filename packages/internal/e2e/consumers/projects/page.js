// What a page does: the promise door over the page's own server, which passes requests on.
import { createEngineClient } from "@bytenite-engines/core/promise";

const client = createEngineClient({ baseUrl: new URL("/v1/dev", location.href).href, token: "local-alice" });
const { data, mediaType } = await client.withResponse.list();
document.body.textContent = JSON.stringify({ mediaType, names: data.engines.map(({ name }) => name) });
document.body.id = "done";
