// The runtime's own module, as far as the tests use it.
declare module "cloudflare:workers" {
  export const env: {
    // oxlint-disable-next-line typescript/consistent-type-imports -- an import would make this file a module.
    readonly DB: import("../src/D1Driver.ts").D1Binding;
    // oxlint-disable-next-line typescript/consistent-type-imports -- an import would make this file a module.
    readonly ARCHIVES: import("../src/R2Store.ts").R2Binding;
    // oxlint-disable-next-line typescript/consistent-type-imports -- an import would make this file a module.
    readonly USER_LIMIT: import("@bytenite-engines/registry/api").RateLimiter;
    // oxlint-disable-next-line typescript/consistent-type-imports -- an import would make this file a module.
    readonly ADDRESS_LIMIT: import("@bytenite-engines/registry/api").RateLimiter;
    readonly SEED_SQL: string;
    readonly MIGRATIONS: Readonly<Record<string, string>>;
    readonly BYTENITE_REGISTRY_KEY: string;
  };
  export const exports: { readonly default: { readonly fetch: typeof fetch } };
}
