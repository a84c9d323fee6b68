// What the apps' scripts and the tests of whole Workers share.
export { bundled } from "./Bundle.ts";
export { compatibilityDate, serve, serveUntilSignal, type Running, type Served } from "./Serving.ts";
