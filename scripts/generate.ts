// `pnpm generate`: writes all generated code: types from the proto files, then what is computed from those types; at last the
// public API of the built packages as text.
import { run } from "./run.ts";

await run("turbo", ["run", "generate", "--output-logs=new-only"]);
await run("turbo", ["run", "api-report", "--output-logs=new-only"]);
