// `pnpm generate`: writes all that is generated: types from the proto files, what is computed from those types, the public API
// of the built packages as text and as a reference, and the map of the code.
import { writeCodeMap } from "./CodeMapPages.ts";
import { run } from "./run.ts";

await run("turbo", ["run", "generate", "--output-logs=new-only"]);
await run("turbo", ["run", "api-report", "api-reference", "--output-logs=new-only"]);
writeCodeMap(".");
