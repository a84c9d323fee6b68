// Node version check, readable by old versions of Node.

/** The lowest major version that runs our sources as they are. */
const lowestMajor = 24;

if (Number.parseInt(process.versions.node, 10) < lowestMajor) {
  process.stderr.write(
    `Node ${process.versions.node} cannot run this; Node ${lowestMajor} comes with the install, which has not succeeded: ` +
      "run `npx -y pnpm@12 install` and see what it says.\n",
  );
  process.exit(1);
}
