// HTTP rules of an rpc, read from its google.api.http annotation.
import { getOption, hasOption, type DescMethod } from "@bufbuild/protobuf";
import { http, type HttpRule } from "@bytenite-engines/proto/service";
import type { HttpRuleRow } from "./HttpRule.ts";

/** The rule of an rpc and its additional bindings, in their order; empty without an annotation. */
export const annotatedRules = (method: DescMethod): ReadonlyArray<HttpRuleRow> => {
  if (!hasOption(method, http)) return [];
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].map((binding) => rowOf(method, binding));
};

const rowOf = (method: DescMethod, { pattern, body, responseBody }: HttpRule): HttpRuleRow => {
  const extras = { ...(body === "" ? {} : { body }), ...(responseBody === "" ? {} : { responseBody }) };
  switch (pattern.case) {
    case undefined:
      throw new TypeError(`the google.api.http annotation of ${method.toString()} has no path`);
    case "custom":
      return { method: pattern.value.kind, path: pattern.value.path, ...extras };
    default:
      return { method: pattern.case.toUpperCase(), path: pattern.value, ...extras };
  }
};
