// Decides: how what was asked for by tags is written: one by itself, several as an array.
import { UsageError } from "../UsageError.ts";
import type { Invocation } from "../Invocation.ts";
import { formOf } from "./Output.ts";
import { outputOptions } from "./OpenOutput.ts";
import type { Shape } from "./Shape.ts";

/** The shape for the tags of a run. Throws UsageError where several cannot be written: bytes of messages have no ends. */
export const shapeOfTags = (invocation: Invocation, shapeOf: (document: "one" | "array") => Shape): Shape => {
  const many = invocation.arguments.positionals.length > 1;
  const options = outputOptions(invocation);
  const shape = shapeOf(many ? "array" : "one");
  // As a setting it means json for several.
  if (many && !options.named) return { ...shape, protobuf: undefined };
  if (many && formOf(options, shape) === "protobuf") {
    throw new UsageError(
      "--output protobuf is for one engine",
      "Ask for the engines one by one, or use --output ndjson.",
    );
  }
  return shape;
};
