// Types of the parts of `bne` that are fuzzed.
declare module "#bne/parse/Arguments" {
  export const parseCommandLine: (argv: ReadonlyArray<string>) => { readonly kind: string };
}
