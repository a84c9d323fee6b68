// Node program that uses the registry.
import { startRegistryServer, type RunningRegistry } from "@bytenite-engines/registry";
import { makeApp, type App } from "@bytenite-engines/registry/api";
import { runRegistry } from "@bytenite-engines/registry/command";
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";

export const forTests = (): Promise<TestRegistry> => startRegistry({ users: [{ name: "carol", apiKey: "key" }] });
export const hosted = (): Promise<RunningRegistry> => startRegistryServer({ database: ":memory:", port: 0 });
export const elsewhere: (...options: Parameters<typeof makeApp>) => App = makeApp;
export const exitCode: Promise<number> = runRegistry(["--help"]);
