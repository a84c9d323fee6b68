// Decides: how a run ends that is told to end.
import { exitCodes } from "./ExitCode.ts";

/** Why a run was ended from outside. */
export class Interrupted extends Error {
  readonly _tag = "Interrupted";
  readonly exitCode: number;
  constructor(signal: "SIGINT" | "SIGTERM") {
    super("interrupted");
    // As a shell would report it: 128 and the number of the signal.
    this.exitCode = signal === "SIGINT" ? exitCodes.interrupted : 143;
  }
}

/** A signal that is aborted by SIGINT or SIGTERM. The second one ends the process where it stands. */
export const interruption = (): AbortSignal => {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      const reason = new Interrupted(name);
      if (controller.signal.aborted) process.exit(reason.exitCode);
      controller.abort(reason);
    });
  }
  return controller.signal;
};
