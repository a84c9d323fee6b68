// Socket behaviours of the fault servers.
import { create } from "@bufbuild/protobuf";
import {
  encode,
  endpoints,
  mediaTypeOf,
  schemaDigestHeader,
  schemaDigests,
  type Format,
} from "@bytenite-engines/core/wire";
import type { Act, Arrived } from "@bytenite-engines/test-kit";
import { zipper } from "@bytenite-engines/test-kit/samples";

/** The engine that every right answer of the table carries: characters of two and four bytes, a fraction, a list. */
export const theEngine = create(endpoints.get.response, {
  ...zipper,
  description: "naïve 😀",
  deviceRequirements: { minCpu: 0.5, gpu: ["tesla t4"] },
});

/** Its bytes. */
export const engineBytes = (format: Format): Uint8Array => encode(endpoints.get.response, theEngine, format);

/** An answer, to be written as it stands. */
export interface Written {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Said instead of the body's length; null: not said, the end of the connection is the end of the body. */
  readonly contentLength?: number | null;
}

const bytesOf = (body: string | Uint8Array): Buffer => Buffer.from(body as string);

/** The bytes of an answer's head. */
export const headOf = ({ status = 200, headers = {}, body = "", contentLength }: Written): Buffer => {
  const length = contentLength === undefined ? bytesOf(body).length : contentLength;
  const lines = [`HTTP/1.1 ${status} Status`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  if (length !== null) lines.push(`Content-Length: ${length}`);
  else lines.push("Connection: close");
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
};

/** Writes an answer whole; the connection stays open where its length was said. */
export const answer =
  (written: Written): Act =>
  (socket) => {
    socket.write(Buffer.concat([headOf(written), bytesOf(written.body ?? "")]));
    if (written.contentLength === null) socket.end();
  };

/** A text under 200, labelled so. */
export const text = (body: string, label = "application/json"): Act =>
  answer({ headers: { "Content-Type": label }, body });

/** Header fields of a correct response in a format, with our digest. */
export const labels = (format: Format, label = mediaTypeOf(format)): Record<string, string> => ({
  "Content-Type": label,
  [schemaDigestHeader]: schemaDigests[endpoints.get.response.typeName] ?? "",
});

/** The engine, as a right server sends it. */
export const good: Act = (socket, arrived, count) => {
  const format = asked(arrived);
  answer({ headers: labels(format), body: engineBytes(format) })(socket, arrived, count);
};

const asked = ({ headers }: Arrived): Format => (headers["accept"] === mediaTypeOf("protobuf") ? "protobuf" : "json");

/** A google.rpc.Status in JSON under an HTTP status. Repeats the token that it was sent, as some servers do. */
export const refuse =
  (
    status: number,
    code: number,
    headers: Readonly<Record<string, string>> = {},
    details: ReadonlyArray<object> = [],
  ): Act =>
  (socket, arrived, count) => {
    const message = `refused with the token ${arrived.headers["authorization"]}`;
    const body = JSON.stringify({ code, message, details });
    answer({ status, headers: { "Content-Type": "application/json", ...headers }, body })(socket, arrived, count);
  };

/** One act for each request; the last one goes on. */
export const script =
  (...acts: ReadonlyArray<Act>): Act =>
  (socket, arrived, count) =>
    acts[Math.min(count, acts.length) - 1]?.(socket, arrived, count);

/** Never says anything. */
export const silent: Act = () => {};

/** Writes something and then tears the connection with a TCP reset. */
export const resetAfter =
  (bytes: (arrived: Arrived) => Buffer): Act =>
  (socket, arrived) => {
    socket.write(bytes(arrived), () => socket.resetAndDestroy());
  };

/** Writes something and then no more; the connection stays open. */
export const stallAfter =
  (bytes: Buffer): Act =>
  (socket) =>
    void socket.write(bytes);
