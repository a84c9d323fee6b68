// Types of the parts of `bne` that are fuzzed.
declare module "#bne/parse/Arguments" {
  export const understand: (argv: ReadonlyArray<string>) => { readonly kind: string };
}
declare module "#bne/Errors" {
  export class UsageError extends Error {
    readonly hint: string | undefined;
  }
}
