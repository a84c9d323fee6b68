// Validation of fault rules in JSON.
import { Ajv, type ErrorObject } from "ajv";
import { endpoints, rpcCodes } from "@bytenite-engines/core/wire";
import { renumbered } from "../api/FieldNumbers.ts";
import { otherFaultEndpoints, type Fault, type FaultRule } from "./FaultRule.ts";

/** Most rules. */
const maxRules = 1_000;

/** Longest wait of a rule, in milliseconds. */
const maxWaitMs = 24 * 3_600_000;

const ms = { type: "number", minimum: 0, maximum: maxWaitMs } as const;
const count = { type: "integer", minimum: 0 } as const;
const text = { type: "string" } as const;

const object = (properties: Readonly<Record<string, object>>, required: ReadonlyArray<string> = []): object => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

const pair = { type: "array", items: ms, minItems: 2, maxItems: 2 } as const;

const latency = {
  anyOf: [
    ms,
    object({ uniform: pair }, ["uniform"]),
    object({ normal: pair }, ["normal"]),
    object({ exponential: ms }, ["exponential"]),
  ],
};

const hintKinds = {
  "retry-after": object({ kind: text, seconds: count }, ["kind", "seconds"]),
  "retry-after-date": object(
    { kind: text, seconds: { type: "integer" }, form: { enum: ["imf-fixdate", "rfc850", "asctime"] } },
    ["kind", "seconds", "form"],
  ),
  "grpc-metadata-retry-after": object({ kind: text, seconds: count }, ["kind", "seconds"]),
  "retry-after-ms": object({ kind: text, ms: count }, ["kind", "ms"]),
  "retry-info": object({ kind: text, ms: count }, ["kind", "ms"]),
};

const hint = {
  type: "object",
  required: ["kind"],
  properties: { kind: { enum: Object.keys(hintKinds) } },
  allOf: Object.entries(hintKinds).map(([kind, schema]) => ({
    if: { properties: { kind: { const: kind } } },
    // oxlint-disable-next-line unicorn/no-thenable -- `then` is a word of JSON Schema.
    then: schema,
  })),
};

const body = {
  anyOf: [
    { enum: ["empty", "html", "garbage"] },
    object({ text }, ["text"]),
    object({ base64: { type: "string", pattern: "^[A-Za-z0-9+/]*={0,2}$" } }, ["base64"]),
    object({ bytes: count }, ["bytes"]),
  ],
};

const fault = object({
  latencyMs: latency,
  silent: { type: "boolean" },
  reset: { enum: ["before-headers", "in-headers", "after-headers", "in-body"] },
  status: { type: "integer", minimum: 200, maximum: 599 },
  code: { enum: Object.keys(rpcCodes) },
  message: text,
  hint: { anyOf: [{ type: "array", items: hint }, hint] },
  body,
  cutBodyAfterBytes: count,
  contentLength: count,
  slow: object({ headersMs: ms, bodyMs: ms }),
  contentType: { type: "string", pattern: "^[\\t -~]*$" },
  headers: {
    type: "object",
    propertyNames: { pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" },
    additionalProperties: { anyOf: [{ type: "string", pattern: "^[\\t -~]*$" }, { type: "null" }] },
  },
  jsonOnly: { type: "boolean" },
  schemaDigest: { anyOf: [{ type: "boolean" }, { type: "string", pattern: "^[ -~]*$" }] },
  fieldNumbers: {
    type: "object",
    additionalProperties: { type: "object", additionalProperties: { type: "integer" } },
  },
  clockSkewMs: { type: "number" },
});

/** JSON Schema of a list of rules. */
export const faultRulesSchema = {
  type: "array",
  maxItems: maxRules,
  items: object(
    {
      on: object({ endpoint: { enum: [...Object.keys(endpoints), ...otherFaultEndpoints] }, user: text, token: text }),
      probability: { type: "number", minimum: 0, maximum: 1 },
      skip: count,
      times: count,
      fault: { anyOf: [{ type: "array", items: fault, minItems: 1 }, fault] },
    },
    ["fault"],
  ),
};

const validate = new Ajv().compile<ReadonlyArray<FaultRule>>(faultRulesSchema);

/** Invalid rules; the message says where and why. */
export class FaultRulesError extends Error {
  override readonly name = "FaultRulesError";
  constructor(problem: string) {
    super(`fault rules: ${problem}`);
  }
}

/** The rules in a JSON text. Throws FaultRulesError, also for impossible field numbers. */
export const parseFaultRules = (json: string): ReadonlyArray<FaultRule> => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new FaultRulesError(`not JSON (${(error as Error).message})`);
  }
  if (!validate(parsed)) throw new FaultRulesError(problemOf(validate.errors ?? []));
  for (const rule of parsed) {
    const faults = Array.isArray(rule.fault) ? (rule.fault as ReadonlyArray<Fault>) : [rule.fault as Fault];
    for (const { fieldNumbers } of faults) if (fieldNumbers !== undefined) renumbered(fieldNumbers);
  }
  return parsed;
};

const depth = ({ instancePath }: ErrorObject): number => instancePath.split("/").length;

/** Keywords by how well their errors name a mistake; other errors come from alternatives of the schema. */
const telling = ["additionalProperties", "required", "enum", "pattern", "minimum", "maximum", "type"];

const rank = ({ keyword }: ErrorObject): number =>
  telling.includes(keyword) ? telling.indexOf(keyword) : telling.length;

/** The deepest error, which is nearest to the mistake. */
const problemOf = (errors: ReadonlyArray<ErrorObject>): string => {
  const [deepest] = errors.toSorted((a, b) => depth(b) - depth(a) || rank(a) - rank(b));
  const { additionalProperty, allowedValues } = (deepest?.params ?? {}) as {
    additionalProperty?: string;
    allowedValues?: ReadonlyArray<unknown>;
  };
  const extra = additionalProperty ?? allowedValues?.join(", ");
  return `${deepest?.instancePath || "/"} ${deepest?.message ?? "is wrong"}${extra === undefined ? "" : ` (${extra})`}`;
};
