// Emulation of Cloudflare's cache for a Worker's Cache API.

/** Most entries; the oldest is evicted first. */
const maxEntries = 5_000;

/**
 * What workerd asks for entries of the Cache API: GET looks up, PUT brings a whole HTTP answer as its body, and PURGE
 * deletes.
 */
export const cacheBackend = `const entries = new Map();
const missing = () => new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
const parse = (bytes) => {
  let end = 0;
  while (bytes[end] !== 13 || bytes[end + 2] !== 13) end += 1;
  const lines = new TextDecoder("latin1").decode(bytes.subarray(0, end)).split("\\r\\n").slice(1);
  const headers = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
  const kept = headers.filter(([name]) => !/^transfer-/i.test(name));
  const maxAge = kept.find(([name]) => name.toLowerCase() === "cache-control")?.[1].match(/max-age=(\\d+)/)?.[1];
  return {
    body: bytes.slice(end + 4),
    headers: [...kept, ["cf-cache-status", "HIT"]],
    until: Date.now() + Number(maxAge ?? 0) * 1000,
  };
};
export default {
  async fetch(request) {
    const key = request.url;
    if (request.method === "GET") {
      const entry = entries.get(key);
      if (entry === undefined) return missing();
      if (entry.until > Date.now()) return new Response(entry.body, { headers: entry.headers });
      entries.delete(key);
      return missing();
    }
    const bytes = new Uint8Array(await request.arrayBuffer());
    const had = entries.delete(key);
    if (request.method !== "PUT") return new Response(null, { status: had ? 200 : 404 });
    entries.set(key, parse(bytes));
    for (const oldest of entries.keys()) {
      if (entries.size <= ${maxEntries}) break;
      entries.delete(oldest);
    }
    return new Response(null, { status: 204 });
  },
};`;
