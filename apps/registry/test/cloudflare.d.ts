// The runtime's own module, as far as the tests use it.
declare module "cloudflare:workers" {
  // oxlint-disable-next-line typescript/consistent-type-imports -- an import would make this file a module.
  export const env: { readonly DB: import("../src/D1Port.ts").D1Binding; readonly SEED_SQL: string };
  export const exports: { readonly default: { readonly fetch: typeof fetch } };
}
