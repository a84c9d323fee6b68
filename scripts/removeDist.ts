// First step of a package's `build`: what is left of modules that there are no more must not be published.
import { rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
