// Writes the reference.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { reference } from "./Reference.ts";

writeFileSync(fileURLToPath(new URL("../REFERENCE.md", import.meta.url)), reference());
