// The workers that stand beside the edge proxy: a greeting, bytes from a module's map, a bare look into the Cache API.

/** Length of the answer that hits are measured with, in bytes. */
export const answerBytes = 10_240;

/** Answers as little as can be. */
export const hello = `export default { fetch() { return new Response("hello"); } };`;

/** The same bytes as the proxy's answer, from a map of the module: what a hit could cost at least. */
export const moduleMap = `const answers = new Map([["/v1/dev/engines", new Uint8Array(${answerBytes}).fill(97)]]);
export default { fetch(request) { return new Response(answers.get(new URL(request.url).pathname)); } };`;

/** Bytes streamed from the Cache API, without a look at them. */
export const bareMatch = `const key = "https://bench.invalid/answer";
export default {
  async fetch() {
    const hit = await caches.default.match(key);
    if (hit !== undefined) return hit;
    const bytes = new Uint8Array(${answerBytes}).fill(97);
    await caches.default.put(key, new Response(bytes, { headers: { "cache-control": "max-age=604800" } }));
    return new Response(bytes);
  },
};`;

/**
 * What workerd asks for entries of the Cache API: in production Cloudflare's cache, here a map. GET looks up, PUT brings
 * a whole HTTP answer as its body. With \`keep\` false it forgets everything at once.
 */
export const cacheBackend = (keep: boolean): string => `const entries = new Map();
const missing = () => new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
const parse = (bytes) => {
  let end = 0;
  while (bytes[end] !== 13 || bytes[end + 2] !== 13) end += 1;
  const lines = new TextDecoder("latin1").decode(bytes.subarray(0, end)).split("\\r\\n").slice(1);
  const headers = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
  return { body: bytes.slice(end + 4), headers: [...headers.filter(([name]) => !/^transfer-/i.test(name)), ["cf-cache-status", "HIT"]] };
};
export default {
  async fetch(request) {
    if (request.method === "GET") {
      const entry = entries.get(request.url);
      return entry === undefined ? missing() : new Response(entry.body, { headers: entry.headers });
    }
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (request.method === "PUT" && ${keep}) entries.set(request.url, parse(bytes));
    return new Response(null, { status: 204 });
  },
};`;

/** An upstream inside the same workerd: answers every token with an answer of its own, of the given length. */
export const upstream = (bytes: number): string => `export default {
  fetch(request) {
    const owner = request.headers.get("authorization");
    const engine = { owner, name: new URL(request.url).search, description: "x".repeat(${bytes}) };
    return Response.json({ engines: [engine], pagination: { total: 1 } });
  },
};`;
