// Output of plain text: help, version, completion.
const noReader = new Set(["EPIPE", "EOF"]);

/** Writes text to stdout. A closed pipe ends it quietly; any other failure is reported with exit code 1. */
export const printText = (text: string): void => {
  process.stdout.on("error", (error: Error & { code?: string }) => {
    if (noReader.has(error.code ?? "")) return;
    process.stderr.write(`bne: Cannot write to stdout: ${error.message}\n`);
    process.exitCode = 1;
  });
  process.stdout.write(text);
};
