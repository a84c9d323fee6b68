// Reference Workers: a greeting, a map, a Cache API lookup.

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

/** The least that a hit of an encrypted entry can cost: looked up, read, decrypted, and sent with the fields that are stored with it. */
export const decryptedMatch = `const url = "https://bench.invalid/encrypted";
const iv = new Uint8Array(12);
const fields = {
  "content-type": "application/json",
  "cache-control": "private, max-age=10",
  vary: "Accept, Authorization",
  date: "Sun, 29 Nov 2026 00:00:00 GMT",
  etag: '"j0123456789012345678901"',
  age: "3",
  "cache-status": "by-hand; hit; ttl=5",
};
let key;
export default {
  async fetch() {
    key ??= await crypto.subtle.importKey("raw", new Uint8Array(32), "AES-GCM", false, ["encrypt", "decrypt"]);
    const hit = await caches.default.match(url);
    if (hit !== undefined) {
      const encrypted = await hit.arrayBuffer();
      const plain = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, encrypted));
      const end = plain.indexOf(10);
      const headers = JSON.parse(new TextDecoder().decode(plain.subarray(0, end)));
      return new Response(plain.subarray(end + 1), { headers });
    }
    const body = "a".repeat(${answerBytes});
    const plain = new TextEncoder().encode(JSON.stringify(fields) + "\\n" + body);
    const encrypted = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plain);
    await caches.default.put(url, new Response(encrypted, { headers: { "cache-control": "max-age=604800" } }));
    return new Response(body);
  },
};`;

/**
 * Sends keys `from` up to `from + count` to the module `edge`, from inside its isolate: a request from outside for each of a
 * million would take a quarter of an hour. Each token has a hundred keys. The upstream answers there too, with so many bytes, and
 * the Cache API forgets what it is given. Answers how many were not 200; other requests go to the module.
 */
export const flooding = (bytes: number): string => `import edge from "edge";
const forgetful = {
  match: async () => undefined,
  put: async (key, response) => void (await response.arrayBuffer()),
  delete: async () => false,
};
Object.defineProperty(globalThis, "caches", { value: { default: forgetful } });
const description = "x".repeat(${bytes});
const UPSTREAM = {
  fetch: async (url, init) => {
    const engine = { owner: new Headers(init.headers).get("authorization"), name: new URL(url).search, description };
    return Response.json({ engines: [engine], pagination: { total: 1 } });
  },
};
const send = async (key) => {
  const left = [];
  const headers = { authorization: "token-" + Math.floor(key / 100) };
  const request = new Request("http://edge.invalid/v1/dev/engines?pagination.offset=" + key, { headers });
  const response = await edge.fetch(request, { UPSTREAM }, { waitUntil: (work) => void left.push(work) });
  await response.arrayBuffer();
  await Promise.all(left);
  return response.status;
};
export default {
  async fetch(request) {
    const parameters = new URL(request.url).searchParams;
    if (!parameters.has("from")) return edge.fetch(request, { UPSTREAM }, { waitUntil() {} });
    let next = Number(parameters.get("from"));
    const end = next + Number(parameters.get("count"));
    let errors = 0;
    const sendRest = async () => {
      while (next < end) if ((await send(next++)) !== 200) errors += 1;
    };
    await Promise.all(Array.from({ length: 32 }, sendRest));
    return new Response(String(errors));
  },
};`;
