declare module "cloudflare:workers" {
  /** Variables, secrets and bindings of the Worker. */
  export const env: Readonly<Record<string, unknown>>;

  /** A class of this kind, exported by name, is an entrypoint beside the default one. */
  export abstract class WorkerEntrypoint {
    protected readonly ctx: { readonly props: unknown };
    protected readonly env: unknown;
  }
}
