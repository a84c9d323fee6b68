// Fuzz target: manifests.
import { create } from "@bufbuild/protobuf";
import { encode, parseTag } from "@bytenite-engines/core/wire";
import { EngineSchema } from "@bytenite-engines/proto";
import { parseManifest } from "@bytenite-engines/registry";
import { must, textOf, type Target } from "../Target.ts";

const source = "manifest.json";

export const fuzz: Target = (data) => {
  let engine: ReturnType<typeof parseManifest>;
  try {
    engine = parseManifest(textOf(data), source);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "ManifestError") throw error;
    const { problems } = error as Error & { readonly problems: ReadonlyArray<string> };
    must(problems.length > 0, "a manifest is refused for nothing");
    must(
      problems.every((problem) => /^manifest\.json:(?:\d+:\d+:)? /.test(problem)),
      "a problem has no place",
    );
    return;
  }
  must(parseTag(`${engine.name ?? ""}@${engine.version ?? ""}`) !== undefined, "an engine has no tag");
  const message = create(EngineSchema, engine);
  for (const format of ["json", "protobuf"] as const) encode(EngineSchema, message, format);
};
