// Rules of HTTP that client, proxy and registry share.

/** The path below which upstream serves the API. */
export const basePath = "/v1/dev";

/** The documented address of the API. */
export const defaultBaseUrl = `https://api.bytenite.com${basePath}`;

/** The credential in an Authorization field without the scheme `Bearer` (RFC 6750, 2.1). Empty: there is only the scheme. */
export const withoutBearer = (authorization: string): string => authorization.replace(/^bearer(?: +|$)/i, "");

/** The `exp` of a JWT (RFC 7519, 4.1.4) in milliseconds, or undefined for any other token. The signature is not looked at. */
export const jwtExpiryMs = (token: string): number | undefined => {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  try {
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    return typeof claims.exp === "number" ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
};

const loopbackV4 = /^127(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** Whether a host is 127.0.0.0/8, also mapped to IPv6, ::1 or localhost (RFC 6761, 6.3). A name that is not known to be loopback is not. */
export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || loopbackV4.test(hostname) || isLoopbackV6(hostname.replace(/^\[(.*)\]$/, "$1"));

const isLoopbackV6 = (address: string): boolean =>
  /^[0-9a-f:]*:[0-9a-f:]*$/i.test(address) &&
  URL.canParse(`http://[${address}]`) &&
  /^\[::(?:1|ffff:7f..:.*)\]$/.test(new URL(`http://[${address}]`).hostname);

/** The id of a request: the given one where it has 1 to 128 letters, digits or any of `._:~-`, otherwise a new UUID. */
export const requestIdFrom = (given: string | null): string =>
  given !== null && /^[A-Za-z0-9._:~-]{1,128}$/.test(given) ? given : crypto.randomUUID();

/** All bytes of a stream; undefined, and the stream is ended, as soon as there are more than `maxBytes`. */
export const boundedBytes = async (
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> => {
  const parts: Array<Uint8Array> = [];
  let length = 0;
  for await (const part of chunks) {
    length += part.byteLength;
    if (length > maxBytes) return undefined;
    parts.push(part);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
};
