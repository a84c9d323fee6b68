declare module "cloudflare:workers" {
  /** Variables, secrets and bindings of the Worker. */
  export const env: Readonly<Record<string, unknown>>;

  /** A class of this kind, exported by name, is a Durable Object. */
  export abstract class DurableObject {
    protected readonly ctx: {
      readonly storage: {
        get<A>(key: string): Promise<A | undefined>;
        put(entries: Readonly<Record<string, unknown>>): Promise<void>;
        delete(keys: Array<string>): Promise<number>;
        list<A>(options: {
          readonly prefix: string;
          readonly start?: string;
          readonly limit?: number;
        }): Promise<Map<string, A>>;
      };
    };
    constructor(ctx: DurableObject["ctx"], env: unknown);
  }
}
