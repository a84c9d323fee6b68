// Rpcs of a service descriptor by their google.api.http annotations.
import { getOption, hasOption, type DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { http, type HttpRule } from "@bytenite-engines/proto/service";
import { resolveBinding, type HttpRuleRow } from "../http-rule/HttpRule.ts";
import type { ServiceMethod } from "./ServiceCall.ts";

/** The rpc of a descriptor. Throws TypeError for a streaming rpc, one without an HTTP rule, and a rule that does not fit its messages. */
export const serviceMethod = (method: DescMethod): ServiceMethod => {
  const name = `${method.parent.typeName}.${method.name}`;
  if (method.methodKind !== "unary")
    throw new TypeError(
      `${name} is a streaming rpc (${method.methodKind}): only unary ones can be called over HTTP rules`,
    );
  const rules = annotatedRules(method);
  if (rules.length === 0) throw new TypeError(`${name} has no google.api.http annotation`);
  try {
    return {
      name,
      input: method.input,
      output: method.output,
      bindings: rules.map((rule) => resolveBinding(rule, method.input, method.output)),
      isIdempotent: method.idempotency !== Level.IDEMPOTENCY_UNKNOWN,
    };
  } catch (cause) {
    throw new TypeError(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
};

/** The rule of an rpc and its additional bindings, in their order; empty without an annotation. */
export const annotatedRules = (method: DescMethod): ReadonlyArray<HttpRuleRow> => {
  if (!hasOption(method, http)) return [];
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].map((binding) => rowOf(method, binding));
};

/** Methods whose answers have no content, or none of the service's. */
const unanswered: ReadonlySet<string> = new Set(["HEAD", "CONNECT", "TRACE"]);

const rowOf = (method: DescMethod, { pattern, body, responseBody }: HttpRule): HttpRuleRow => {
  const extras = { ...(body === "" ? {} : { body }), responseBody };
  switch (pattern.case) {
    case undefined:
      throw new TypeError(`the google.api.http annotation of ${method.toString()} has no path`);
    case "custom":
      if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(pattern.value.kind) || unanswered.has(pattern.value.kind.toUpperCase()))
        throw new TypeError(
          `the custom method ${JSON.stringify(pattern.value.kind)} of ${method.toString()} is none whose answer has a message`,
        );
      return { method: pattern.value.kind, path: pattern.value.path, ...extras };
    default:
      return { method: pattern.case.toUpperCase(), path: pattern.value, ...extras };
  }
};
