// A page with the promise entry and the JSON entry.
import { createEngineClient as createJsonClient } from "@bytenite-engines/core/json";
import { createEngineClient } from "@bytenite-engines/core/promise";

const options = { baseUrl: new URL("/v1/dev", location.href).href, token: "local-alice" };
const client = createEngineClient(options);
const { data, mediaType } = await client.withResponse.list();
const json = await createJsonClient(options).withResponse.list();
const [names, namesInJson] = [data, json.data].map(({ engines }) => engines.map(({ name }) => name));
document.body.textContent = JSON.stringify({ mediaType, names, jsonType: json.mediaType, namesInJson });
document.body.id = "done";
