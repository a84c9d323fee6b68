// The engine of the call figures, and its bytes.
import { create } from "@bufbuild/protobuf";
import { encode, endpoints, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { zipper } from "@bytenite-engines/test-kit/samples";

const engine = create(endpoints.get.response, zipper);

/** Prepared responses of the figures' server. */
export const engineAnswers = {
  protobuf: encode(endpoints.get.response, engine, "protobuf"),
  json: encode(endpoints.get.response, engine, "json"),
  digest: { [schemaDigestHeader]: schemaDigests[endpoints.get.response.typeName] ?? "" },
};
