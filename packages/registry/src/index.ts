// For users: a registry in this process.
export { startRegistryServer, type RegistryOptions, type RunningRegistry } from "./node/Registry.ts";
