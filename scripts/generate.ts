// `pnpm generate`: writes all that is generated and tracked: types from the proto files, what is computed from those types, the
// reference of `bne`, and the public API of the built packages as text.
import { run } from "./run.ts";

await run("turbo", ["run", "generate", "--output-logs=new-only"]);
await run("turbo", ["run", "api-report", "--output-logs=new-only"]);
