// A process that writes until it is killed.
import { writeSync } from "node:fs";
import { migrate } from "../../src/api/Migrations.ts";
import { openSqlite } from "../../src/node/SqliteFile.ts";
import { operate } from "./operations.ts";

const [path = "", directory = "", first = "0"] = process.argv.slice(2);
const file = openSqlite(path);
await migrate(file.port, 0);
for (let number = Number(first); ; number++) {
  await operate(file, directory, number);
  writeSync(1, `${number}\n`);
}
