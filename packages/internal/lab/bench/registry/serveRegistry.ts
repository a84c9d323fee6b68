// The registry under load, as its own process: `serveRegistry.ts DATABASE`.
import { startRegistryServer } from "@bytenite-engines/registry";
import { announce } from "./Served.ts";

const [database = ":memory:"] = process.argv.slice(2);
const registry = await startRegistryServer({ database, port: 0, trial: false });
announce(Number(new URL(registry.origin).port));
process.once("SIGTERM", () => {
  void registry.stop().then(() => process.exit(0));
});
