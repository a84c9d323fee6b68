// One rpc: messages, HTTP bindings, idempotency.
import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";
import { annotatedRules } from "../http-rule/Annotation.ts";
import { resolveBinding, type HttpBinding } from "../http-rule/HttpRule.ts";

/** A unary rpc with an HTTP rule. */
export interface ServiceMethod {
  /** Full name, e.g. `google.example.library.v1.LibraryService.GetBook`. */
  readonly name: string;
  readonly input: DescMessage;
  readonly output: DescMessage;
  /** In the order of the annotation; the first one whose path fields are set is used. */
  readonly bindings: ReadonlyArray<HttpBinding>;
  /** Whether the rpc says that calling it again does no harm (`idempotency_level`). */
  readonly isIdempotent: boolean;
  /** Whether it says that calling it changes nothing. */
  readonly isSafe: boolean;
}

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
      isSafe: method.idempotency === Level.NO_SIDE_EFFECTS,
    };
  } catch (cause) {
    throw new TypeError(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
};

/** Methods that change nothing, and those that change the same thing however often they are sent (RFC 9110, 9.2). */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
const idempotentMethods: ReadonlySet<string> = new Set([...safeMethods, "PUT", "DELETE"]);

/** Whether a call changes nothing. */
export const changesNothing = ({ isSafe }: ServiceMethod, { method }: HttpBinding): boolean =>
  isSafe || safeMethods.has(method);

/** Whether a call may be sent again although it may have been carried out. */
export const isRepeatable = ({ isIdempotent }: ServiceMethod, { method }: HttpBinding): boolean =>
  isIdempotent || idempotentMethods.has(method);
