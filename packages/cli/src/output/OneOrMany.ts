// Decides: how what was asked for by tags is written: one by itself, several as an array.
import { UsageError } from "../UsageError.ts";
import type { Invocation } from "../Invocation.ts";
import { formOf } from "./Output.ts";
import { outputOptions } from "./OpenOutput.ts";
import type { Shape } from "./Shape.ts";

/** The shape for the tags of a run. Throws UsageError where several cannot be written: bytes of messages have no ends. */
export const shapeOfTags = (invocation: Invocation, shapeOf: (document: "one" | "array") => Shape): Shape => {
  const many = invocation.arguments.positionals.length > 1;
  const shape = shapeOf(many ? "array" : "one");
  if (many && formOf(outputOptions(invocation), shape) === "protobuf") {
    throw new UsageError(
      "--output protobuf is for one engine",
      "Ask for the engines one by one, or use --output ndjson.",
    );
  }
  return shape;
};
