// Decides: what an answer is whose status says all, when its body breaks off, hangs or has no end: that status, without a body.

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Refusals: 401, 403, 404 and their like. */
const isVerdict = (status: number): boolean => status >= 400 && status < 500;

/**
 * A `fetch` whose refusals are always whole. Were a 401 with half a body no answer, the token's stale answers would be served in
 * its place.
 */
export const withVerdicts =
  (fetch: Fetch, maxBytes: number, withinMs: number): Fetch =>
  async (url, init) => {
    const response = await fetch(url, init);
    const { status, headers } = response;
    if (!isVerdict(status) || response.body === null) return response;
    const bytes = await wholeOf(response.body, maxBytes, withinMs);
    const kept = new Headers(headers);
    // What is here now is decoded, and of another length where it did not come.
    for (const name of bytes === undefined ? aboutBody : ["content-length"]) kept.delete(name);
    return new Response(bytes ?? null, { status, headers: kept });
  };

/** Fields that speak of a body. */
const aboutBody: ReadonlyArray<string> = ["content-encoding", "content-length", "content-type"];

const wholeOf = async (
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  maxBytes: number,
  withinMs: number,
): Promise<Blob | undefined> => {
  const reader = body.getReader();
  const chunks: Array<Uint8Array<ArrayBuffer>> = [];
  let length = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), withinMs);
  });
  try {
    for (;;) {
      const part = await Promise.race([reader.read(), late]);
      if (part?.done === true) return new Blob(chunks);
      length += part?.value.byteLength ?? 0;
      if (part === undefined || length > maxBytes) break;
      chunks.push(part.value);
    }
    reader.cancel().catch(() => {});
    return undefined;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
};
