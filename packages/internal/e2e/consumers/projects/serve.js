// A registry with the sample engines until stdin ends.
import { startRegistry } from "@bytenite-engines/registry/testing";

const registry = await startRegistry();
process.stdout.write(`${registry.url}\n`);
process.stdin.resume().once("end", () => registry.stop());
