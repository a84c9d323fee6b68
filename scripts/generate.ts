// `pnpm generate`: writes all generated code: types from the proto files, then what is computed from those types.
import { run } from "./run.ts";

await run("turbo", ["run", "generate", "--output-logs=new-only"]);
