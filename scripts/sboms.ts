// `pnpm sboms [--out FOLDER]`: bills of materials, by default in `.data/sboms`.
import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { writeSboms } from "./Sbom.ts";

const { values } = parseArgs({ options: { out: { type: "string", default: ".data/sboms" } } });
rmSync(values.out, { recursive: true, force: true });
for (const path of await writeSboms(values.out)) process.stdout.write(`${path}\n`);
