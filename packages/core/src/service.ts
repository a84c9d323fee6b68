// Clients of any service with google.api.http annotations.
export {
  createServiceClient,
  makeServiceClient,
  serviceClientLayer,
  type EffectServiceCallOptions,
  type EffectServiceClient,
  type EffectServiceClientOptions,
  type PromiseServiceCallOptions,
  type ServiceCallOptions,
  type ServiceClient,
  type ServiceClientOptions,
} from "./client/ServiceClient.ts";
export type { ServiceFormat } from "./client/HttpCall.ts";
export { EngineError } from "./EngineError.ts";
export type { Format } from "./MediaType.ts";
export type * from "./PublicTypes.ts";
