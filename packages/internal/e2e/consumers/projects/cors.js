// Page on another origin than the API.
import { createEngineClient, EngineError } from "@bytenite-engines/core/promise";

const show = (value) => {
  document.body.textContent = JSON.stringify(value);
  document.body.id = "done";
};
const baseUrl = new URLSearchParams(location.search).get("api");
const client = createEngineClient({ baseUrl, token: "local-alice", retry: { maxAttempts: 1 } });
const error = await client.list().catch((cause) => cause);
show(error instanceof EngineError ? { reason: error.reason, message: error.message } : String(error));
