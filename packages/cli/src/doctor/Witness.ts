// Reads engines in both forms, so that it shows which number carries which field.
import { createEngineClient, type Fetch, type PromiseEngineClient } from "@bytenite-engines/core/promise";
import { calibration } from "@bytenite-engines/core/trust";
import { formatOf, matchPath, schemaDigestHeader, type ReadName } from "@bytenite-engines/core/wire";
import type { ClientOptions } from "@bytenite-engines/core/promise";
import { pagesOf } from "../Pages.ts";
import type { SchemaEvidence } from "./Schema.ts";

/** Pages of the list that are read, at most. */
const maxPages = 5;
/** Engines that are read one by one, and their statuses, at most. */
const maxEngines = 8;

/** Reads up to some pages, engines and statuses. What the digest claims is not believed here but tried. */
export const witnessSchema = async (
  options: ClientOptions & { readonly baseUrl: string; readonly fetch: Fetch },
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<SchemaEvidence> => {
  const numbers = calibration();
  const drifts: Array<string> = [];
  const digests: Partial<Record<ReadName, string | null>> = {};
  let protobuf = false;
  const base = new URL(options.baseUrl).pathname.replace(/\/+$/, "");
  const client = createEngineClient({
    ...options,
    format: "auto",
    trust: { calibration: numbers, sampleEvery: 1 },
    onEvent: (event) => {
      if (event.type === "drift") drifts.push(`${event.message}: ${event.detail}`);
      options.onEvent?.(event);
    },
    fetch: async (url, init) => {
      const response = await options.fetch(url, init);
      if (formatOf(response.headers.get("content-type")) !== "protobuf" || response.status !== 200) return response;
      protobuf = true;
      const name = matchPath(new URL(url).pathname.slice(base.length))?.name;
      if (name !== undefined) digests[name] = response.headers.get(schemaDigestHeader);
      return withoutDigest(response);
    },
  });
  await readAll(client, signal, onProgress);
  return { profile: numbers.profile(new URL(options.baseUrl).origin), digests, protobuf, drifts };
};

const readAll = async (
  client: PromiseEngineClient,
  signal: AbortSignal,
  onProgress: (text: string) => void,
): Promise<void> => {
  const tags: Array<string> = [];
  for await (const { engines, pages } of pagesOf(client, {}, signal)) {
    onProgress(`comparing both forms, page ${pages}`);
    tags.push(...engines.map(({ name, version }) => `${name}@${version}`));
    if (pages >= maxPages) break;
  }
  for (const tag of tags.slice(0, maxEngines)) {
    onProgress(`comparing both forms of ${tag}`);
    await client.get(tag, { signal });
    await client.status(tag, { signal });
  }
};

/** The same answer as if it claimed nothing. */
const withoutDigest = (response: Response): Response => {
  const headers = {
    get: (name: string) =>
      name.toLowerCase() === schemaDigestHeader.toLowerCase() ? null : response.headers.get(name),
    has: (name: string) => name.toLowerCase() !== schemaDigestHeader.toLowerCase() && response.headers.has(name),
  };
  return new Proxy(response, {
    get: (target, name) => (name === "headers" ? headers : (Reflect.get(target, name) as unknown)),
  });
};
