// The requests that are wrong: targets, queries, tags, headers, methods, sizes.
import * as fc from "fast-check";

const token = fc.constantFrom(
  "local-alice",
  "Bearer local-alice",
  "",
  "Bearer",
  "local-bo",
  "local-bob\u00e9",
  "x".repeat(9_000),
  "a b c",
);

const oddText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    "%",
    "%zz",
    "%00",
    "%2F",
    "..",
    "%2e%2e",
    "\\",
    "@",
    "a@@1",
    "a@1.2.3",
    "a@-1",
    "a@99999999999",
    "'",
    "';--",
    "\u0000",
  ),
  fc.constantFrom(
    "x".repeat(100),
    "x".repeat(5_000),
    "é".repeat(50),
    "%F0%9F%98%80",
    "%ff%fe",
    "__proto__",
    "constructor",
  ),
);

const parameter = fc.tuple(
  fc.oneof(
    oddText,
    fc.constantFrom(
      "pagination.limit",
      "pagination.offset",
      "pagination",
      "orderBy",
      "order_by",
      "isPublic",
      "engineData",
    ),
  ),
  fc.oneof(
    oddText,
    fc.constantFrom("", "-1", "1.5", "1e3", "0x10", "4294967296", "NaN", "true", "createdAt desc desc", " "),
  ),
);

const target = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(
        "/v1/dev/engines",
        "/v1/dev/engines/zipper",
        "/v1/dev/engines/word-count/status",
        "/v1/auth/access_token",
      ),
      fc.constantFrom(
        "",
        "/",
        "//",
        "*",
        "/v1/dev",
        "/v1/dev/",
        "http://evil.example/v1/dev/engines",
        "/faults",
        "/metrics",
      ),
      oddText.map((text) => `/v1/dev/engines/${text}`),
      fc.tuple(oddText, oddText).map(([a, b]) => `/v1/dev/engines/${a}/${b}`),
      oddText,
    ),
    fc.option(fc.array(parameter, { maxLength: 5 })),
  )
  .map(([path, query]) => (query === null ? path : `${path}?${query.map(([a, b]) => `${a}=${b}`).join("&")}`));

const method = fc.oneof(
  { weight: 3, arbitrary: fc.constant("GET") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "POST",
      "PUT",
      "HEAD",
      "OPTIONS",
      "TRACE",
      "CONNECT",
      "PATCH",
      "get",
      "G E T",
      "PRI",
      "BREW",
      "",
    ),
  },
);

const header = fc.oneof(
  fc.tuple(
    fc.constant("Accept"),
    fc.oneof(
      oddText,
      fc.constantFrom(
        "*",
        "*/json",
        "a/b;q=2",
        ";;;",
        ",,,",
        '"',
        "application/json;q=0",
        "text/*",
        "application/x-protobuf",
      ),
    ),
  ),
  fc.tuple(
    fc.constantFrom("X-Request-Id", "Content-Type", "X-HTTP-Method-Override", "Range", "If-None-Match", "Expect"),
    oddText,
  ),
  fc.tuple(
    fc.constantFrom("Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Host"),
    fc.constantFrom("0", "-1", "chunked", "close", "h2c", "a, b"),
  ),
  fc.tuple(fc.constant("X-Long"), fc.constantFrom("y".repeat(1_000), "y".repeat(20_000))),
  fc.tuple(oddText, oddText),
);

/** Any request: most are wrong in some way. */
export const request = fc.record({
  method,
  target,
  token,
  headers: fc.array(header, { maxLength: 4 }),
  body: fc.option(oddText),
});

/** A request that is drawn. */
export type Sent = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** What is written to the socket. */
export const bytesOf = ({ method, target, token, headers, body }: Sent): Buffer => {
  const lines = [`${method} ${target} HTTP/1.1`, "Host: x", `Authorization: ${token}`, "Connection: close"];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (method === "POST" && body !== null) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${method === "POST" ? (body ?? "") : ""}`);
};
