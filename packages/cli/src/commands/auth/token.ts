// Prints the access token, for other programs.
import { accessToken } from "../../AccessToken.ts";
import { credentials } from "../../Client.ts";
import { exitCodes } from "../../ExitCode.ts";
import { CommandError } from "../../Failure.ts";
import { isOn, type Invocation } from "../../Invocation.ts";
import { UsageError } from "../../UsageError.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  if (invocation.terminal.isTTY && !isOn(invocation, "show")) {
    throw new UsageError("The token is not shown on a terminal", "Send it into a pipe, or use --show.");
  }
  const found = await credentials(invocation);
  if (found === undefined) {
    throw new CommandError(
      "There are no credentials",
      exitCodes.denied,
      "Log in with `bne auth login`, or set BYTENITE_TOKEN.",
    );
  }
  await invocation.stdout.write(`${await accessToken(invocation, found)}\n`);
  return exitCodes.ok;
};
