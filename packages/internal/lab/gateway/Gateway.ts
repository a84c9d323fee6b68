// A grpc-gateway for the contract, built from Debian's Go packages.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, globSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { root } from "@bytenite-engines/test-kit";

/** Required programs. */
export const gatewayPackages =
  "protobuf-compiler golang-go protoc-gen-go-1-5 protoc-gen-go-grpc golang-grpc-gateway golang-github-grpc-ecosystem-grpc-gateway-dev";

const goSources = "/usr/share/gocode";
const generators = ["go", "go-grpc", "grpc-gateway"];

const run = (command: string, args: ReadonlyArray<string>, cwd: string, env: NodeJS.ProcessEnv = {}): void => {
  const { error, status, stderr } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
  if (error !== undefined || status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`);
};

/** Generates and compiles; the first time takes a minute. Throws where a program is missing. */
const build = (folder: string): string => {
  const contract = join(root, "proto");
  const sources = join(folder, "src");
  const program = join(sources, "example/gateway");
  const libraries = join(sources, "github.com/grpc-ecosystem/grpc-gateway");
  for (const each of [program, libraries]) mkdirSync(each, { recursive: true });
  const files = globSync("bytenite/**/*.proto", { cwd: contract });
  const options = generators.map((name) => `--${name}_out=${sources}`);
  // Each file needs a Go package.
  for (const name of generators) {
    for (const file of files) options.push(`--${name}_opt=M${file}=example/${dirname(file)}`);
  }
  run("protoc", ["-I.", "-Inode_modules/google-proto-files", ...options, ...files], contract);
  // Debian has version 2 at the path of version 1.
  symlinkSync(join(goSources, "src/github.com/grpc-ecosystem/grpc-gateway"), join(libraries, "v2"));
  copyFileSync(fileURLToPath(new URL("main.go", import.meta.url)), join(program, "main.go"));
  const environment = { GO111MODULE: "off", GOFLAGS: "", GOPATH: `${folder}:${goSources}`, CGO_ENABLED: "0" };
  run("go", ["build", "-o", join(folder, "gateway"), "."], program, environment);
  return join(folder, "gateway");
};

/** A running grpc-gateway. */
export interface Gateway extends AsyncDisposable {
  /** Base URL of its API. */
  readonly url: string;
}

export const startGateway = async (): Promise<Gateway> => {
  const folder = mkdtempSync(join(tmpdir(), "bytenite-gateway-"));
  const child = spawn(build(folder), { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return {
    url: line.replace("ready ", ""),
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
