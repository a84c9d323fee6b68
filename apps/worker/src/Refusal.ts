// Decides: what a request that the proxy answers by itself is told, as google.rpc.Status in the negotiated form.
import { create } from "@bufbuild/protobuf";
import { encode, mediaTypeOf, negotiate, rpcCodes, type RpcCode } from "@bytenite-engines/core/wire";
import { StatusSchema } from "@bytenite-engines/proto";

/** An answer that is not the upstream's. */
export interface Refusal {
  readonly status: number;
  readonly code: RpcCode;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The methods that the three endpoints take. */
export const allowedMethods = "GET, HEAD, OPTIONS";

/** The answer to a refused request. A form that is not acceptable leaves JSON. */
export const refuse = (refusal: Refusal, accept: string | null, withBody = true): Response => {
  const { format, mediaType } = negotiate(accept) ?? { format: "json", mediaType: mediaTypeOf("json") };
  const bytes = encode(
    StatusSchema,
    create(StatusSchema, { code: rpcCodes[refusal.code], message: refusal.message }),
    format,
  );
  return new Response(withBody ? bytes : null, {
    status: refusal.status,
    headers: {
      "content-type": mediaType,
      "content-length": `${bytes.byteLength}`,
      "cache-control": "private, no-store",
      vary: "Accept, Authorization",
      ...refusal.headers,
    },
  });
};
