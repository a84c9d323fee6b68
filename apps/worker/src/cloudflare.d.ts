declare module "cloudflare:workers" {
  export const env: Readonly<Record<string, unknown>>;
  export abstract class DurableObject {
    protected readonly ctx: {
      readonly storage: {
        get<A>(key: string): Promise<A | undefined>;
        put(entries: Readonly<Record<string, unknown>>): Promise<void>;
        delete(key: string): Promise<boolean>;
        list<A>(options: { readonly prefix: string; readonly start: string }): Promise<Map<string, A>>;
      };
    };
  }
}
