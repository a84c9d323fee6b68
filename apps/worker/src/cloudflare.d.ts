declare module "cloudflare:workers" {
  /** Variables, secrets and bindings of the Worker. */
  export const env: Readonly<Record<string, unknown>>;
}
