// Test support for tests, measurements and scripts of the apps.
export { cacheBackend } from "./CacheBackend.ts";
export {
  bundled,
  compatibilityDate,
  compatibilityFlags,
  directSocket,
  emulate,
  moduleOf,
  originOf,
  serve,
  serveUntilSignal,
  textBinding,
  type Running,
  type Served,
} from "./Emulator.ts";
export { startFaultServer, type Act, type Arrived, type FaultServer } from "./FaultServer.ts";
export { close, freePort, host, listen } from "./Ports.ts";
export {
  root,
  startProcess,
  startProxy,
  type ManagedProcess,
  type ProcessOptions,
  type RunningProxy,
} from "./Process.ts";
export { startWorkerd, type Standalone, type WorkerInit } from "./Workerd.ts";
export { managementTokens } from "./ManagementTokens.ts";
