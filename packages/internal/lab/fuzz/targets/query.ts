// Fuzz target: query strings.
import type { DescMessage } from "@bufbuild/protobuf";
import { decodeQuery, encodeQuery, endpoints, QueryParameterError } from "@bytenite-engines/core/wire";
import { mustEqual, textOf, unlessRefused, type Target } from "../Target.ts";

const schemas: ReadonlyArray<DescMessage> = [endpoints.list.request, endpoints.get.request, endpoints.status.request];

export const fuzz: Target = (data) => {
  const parameters = new URLSearchParams(textOf(data));
  for (const schema of schemas) {
    const request = unlessRefused(() => decodeQuery(schema, parameters), QueryParameterError);
    if (request === undefined) continue;
    const query = encodeQuery(schema, request);
    mustEqual(encodeQuery(schema, decodeQuery(schema, new URLSearchParams(query))), query, "a query is not stable");
  }
};
