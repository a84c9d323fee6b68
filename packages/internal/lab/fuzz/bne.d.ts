// What of `bne` is given input: no entry of the published package leads there, so the bundler and the tests are told by alias.
declare module "#bne/parse/Arguments" {
  export const understand: (argv: ReadonlyArray<string>) => { readonly kind: string };
}
declare module "#bne/Errors" {
  export class UsageError extends Error {
    readonly hint: string | undefined;
  }
}
