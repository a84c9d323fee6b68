// One plain HTTP exchange with an unnormalised request target.
import { request, type IncomingHttpHeaders } from "node:http";

/** An answer, whole. */
export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends a request to a base URL and target, exactly as they stand. */
export const exchange = (
  baseUrl: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const { hostname, port, pathname } = new URL(baseUrl);
    const sent = request({ hostname, port, method, path: pathname + target, headers, agent: false }, (answer) => {
      const parts: Array<Buffer> = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.once("error", reject);
      answer.once("end", () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) }),
      );
    });
    sent.once("error", reject);
    sent.end();
  });
