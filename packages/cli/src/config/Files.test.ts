import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { beginAtomically, changeConfig, readText, reasonOf, rewrite, writeAtomically, writeOwn } from "./Files.ts";

const makeFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "bne-files-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
};
const openFiles = (): number => (existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0);
const withCode = (code: string): Error => Object.assign(new Error("it failed"), { code });
const modeOf = (path: string): number => statSync(path).mode & 0o777;

test("a file that is read with trust is the user's alone, and so are the directories that are made for it", () => {
  const root = makeFolder();
  const path = join(root, "a", "b", "file");
  writeOwn(path, "text");
  expect(readFileSync(path, "utf8")).toBe("text");
  expect([modeOf(join(root, "a")), modeOf(join(root, "a", "b")), modeOf(path)]).toEqual([0o700, 0o700, 0o600]);
  chmodSync(path, 0o644);
  writeOwn(path, "other");
  expect(modeOf(path)).toBe(0o600);
  chmodSync(join(root, "a"), 0o770);
  expect(() => writeOwn(path, "x")).toThrow(
    `Cannot write ${path}: Others can write ${join(root, "a")}, so it is not used`,
  );
  expect(readFileSync(path, "utf8")).toBe("other");
});

test.skipIf(!existsSync("/proc/self"))("where the system makes no directories it ends with a sentence", () => {
  // In a process of its own, because the failure to fear is one that never ends.
  const module = new URL("./Files.ts", import.meta.url).href;
  const script = `import(${JSON.stringify(module)}).then((m) => m.writeOwn("/proc/none/at/all", "x")).catch((e) => console.log(e.message))`;
  const { stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8", timeout: 10_000 });
  expect(stdout).toMatch(/^Cannot write \/proc\/none\/at\/all: /);
});

test("a file is read up to its limit, without the mark of its encoding", () => {
  const path = join(makeFolder(), "file");
  writeOwn(path, "12345");
  expect(readText(path, "secret", 5)).toBe("12345");
  expect(() => readText(path, "any", 4)).toThrow(`Cannot read ${path}: it is larger than 4 bytes`);
  // More than one piece, and not all of it ASCII.
  const long = "é".repeat(100_000);
  writeOwn(path, `\ufeff${long}`);
  expect(readText(path, "own")).toBe(long);
  expect(() => readText(path, "own", 100_000)).toThrow("it is larger than 100000 bytes");
  writeOwn(path, " ".repeat(1_048_576));
  expect(readText(path, "own")).toHaveLength(1_048_576);
  writeOwn(path, " ".repeat(1_048_577));
  expect(() => readText(path, "own")).toThrow("it is larger than 1048576 bytes");
});

const textOrProblem = (...given: Parameters<typeof readText>): string | undefined => {
  try {
    return readText(...given);
  } catch (error) {
    return (error as Error).message;
  }
};

test("what others can read holds no secret, and what they can write is not trusted", () => {
  const path = join(makeFolder(), "file");
  writeFileSync(path, "text");
  for (const [mode, secret, own] of [
    [0o600, "text", "text"],
    [0o700, "text", "text"],
    [0o640, "read or write", "text"],
    [0o601, "read or write", "text"],
    [0o620, "read or write", "write"],
    [0o602, "read or write", "write"],
  ] as const) {
    chmodSync(path, mode);
    for (const [trust, found] of [
      ["secret", secret],
      ["own", own],
    ] as const) {
      const text = found === "text" ? found : `Others can ${found} ${path}, so it is not used`;
      expect([mode, trust, textOrProblem(path, trust)]).toEqual([mode, trust, text]);
    }
    expect(readText(path, "any")).toBe("text");
  }
  chmodSync(path, 0o600);
  chmodSync(dirname(path), 0o777);
  expect(textOrProblem(path, "own")).toBe(`Others can write ${dirname(path)}, so it is not used`);
  expect(readText(path, "any")).toBe("text");
});

test("only a regular file is read, and none is no failure", () => {
  const root = makeFolder();
  writeFileSync(join(root, "file"), "");
  spawnSync("mkfifo", [join(root, "fifo")]);
  expect(readText(join(root, "nothing"), "own")).toBeUndefined();
  expect(readText(join(root, "file", "below"), "own")).toBeUndefined();
  expect(() => readText(root, "any")).toThrow(`Cannot read ${root}: it is a directory`);
  expect(() => readText(join(root, "fifo"), "any")).toThrow("it is not a regular file");
});

test("a file is replaced as a whole, with the mode that it had", async () => {
  const root = makeFolder();
  const path = join(root, "file");
  writeAtomically(path, "old");
  expect(modeOf(path)).toBe(0o644);
  chmodSync(path, 0o754);
  symlinkSync("file", join(root, "link"));
  writeAtomically(join(root, "link"), "new");
  expect([readFileSync(path, "utf8"), modeOf(path)]).toEqual(["new", 0o754]);
  const file = beginAtomically(path, 0o640, false);
  file.write("one ");
  file.write("two");
  expect(readFileSync(path, "utf8")).toBe("new");
  file.commit();
  file.discard();
  expect([readFileSync(path, "utf8"), modeOf(path)]).toEqual(["one two", 0o640]);
  await changeConfig(join(root, "shared.json"), [[["a"], 1]], "any");
  await changeConfig(join(root, "own.json"), [[["a"], 1]]);
  expect([modeOf(join(root, "shared.json")), modeOf(join(root, "own.json"))]).toEqual([0o644, 0o600]);
});

test("a file that cannot be written leaves everything as it was, and nothing open", () => {
  const root = makeFolder();
  const taken = join(root, "taken");
  mkdirSync(taken);
  writeFileSync(join(taken, "x"), "");
  spawnSync("mkfifo", [join(root, "fifo")]);
  symlinkSync("fifo", join(root, "link"));
  const before = openFiles();
  expect(() => writeAtomically(taken, "x")).toThrow(`Cannot write ${taken}: it is a directory`);
  expect(() => writeAtomically(join(root, "no", "file"), "x")).toThrow(`there is no folder ${root}/no`);
  expect(() => writeAtomically(join(root, "link"), "x")).toThrow("it is a pipe, a device or a socket");
  const file = beginAtomically(join(root, "new"), 0o600, true);
  for (let time = 0; time < 2; time++) file.discard();
  expect(beginAtomically(join(root, "new"), 0o600, true).commit(() => false)).toBe(false);
  readText(join(taken, "x"), "own");
  writeAtomically(join(taken, "x"), "y");
  expect(readdirSync(root).toSorted()).toEqual(["fifo", "link", "taken"]);
  expect(readdirSync(taken)).toEqual(["x"]);
  expect(openFiles()).toBe(before);
});

test("a file of settings keeps its comments and its form, and is left as it is when it is broken", async () => {
  const path = join(makeFolder(), "config.json");
  const changed = async (
    text: string,
    ...changes: Extract<Parameters<typeof changeConfig>[1], ReadonlyArray<unknown>>
  ): Promise<string> => {
    writeOwn(path, text);
    await changeConfig(path, changes);
    return readFileSync(path, "utf8");
  };
  expect(await changed("", [["a"], 1])).toBe('{\n  "a": 1\n}\n');
  expect(await changed(" \n", [["a", "b"], "x"])).toBe('{\n  "a": {\n    "b": "x"\n  }\n}\n');
  expect(await changed('{\n  // why\n  "a": 1,\n  "b": 2,\n}', [["b"], undefined], [["a"], 3])).toBe(
    '{\n  // why\n  "a": 3,\n}\n',
  );
  expect(await changed("{}\n", [["a"], undefined])).toBe("{}\n");
  for (const [text, said] of [
    ["[]", ":1:1: must be a JSON object"],
    ["null", ":1:1: must be a JSON object"],
    ["1", ":1:1: must be a JSON object"],
    ['{\n "output": }', ":2:12: Value expected"],
    ["{", ":1:2: Close brace expected"],
    [`{"a":${"[".repeat(100_000)}`, ":1:1: nested too deep"],
  ] as const) {
    await expect(changed(text, [["a"], 1])).rejects.toThrow(`${path}${said}`);
    expect(readFileSync(path, "utf8")).toBe(text);
  }
});

test("a change whose lock another process took for a stale one is made again, of what that one left", async () => {
  const root = makeFolder();
  const path = join(root, "file");
  writeOwn(path, "a");
  const seen: Array<string | undefined> = [];
  for (const next of ["changed", undefined]) {
    let isStale = false;
    await rewrite(path, "own", async (text) => {
      seen.push(text);
      if (existsSync(`${path}.lock`) && !isStale) {
        isStale = true;
        rmSync(`${path}.lock`);
        writeOwn(path, `${text} and of another`);
      }
      return next;
    });
  }
  expect(seen).toEqual(["a", "a", "a and of another", "changed", "changed", "changed and of another"]);
  expect(readdirSync(root)).toEqual([]);
});

test("the change of a killed process is none, and the next one takes its lock soon, and removes what it left", async () => {
  const root = makeFolder();
  const path = join(root, "file");
  writeOwn(path, "a");
  const module = new URL("./Files.ts", import.meta.url).href;
  const script = `
    const { beginAtomically, rewrite } = await import(${JSON.stringify(module)});
    await rewrite(${JSON.stringify(path)}, "secret", async () => {
      if (!process.argv[1]) return process.argv[1] = "its lock is taken";
      beginAtomically(${JSON.stringify(path)}, 0o600, false).write("secret");
      process.kill(process.pid, "SIGKILL");
    });
  `;
  spawnSync(process.execPath, ["--input-type=module", "--eval", script, ""]);
  const left = readdirSync(root);
  expect(left).toEqual(["file", expect.stringMatching(/^file\.\d+\.[^/]+\.tmp$/), "file.lock"]);
  const others = ["file.old.tmp", "file.1.2.tmp.txt", "file2.1.2.tmp"];
  for (const each of others) writeFileSync(join(root, each), "");
  const startMs = performance.now();
  await rewrite(path, "secret", async () => "b");
  const tookMs = performance.now() - startMs;
  expect([tookMs > 200, tookMs < 4_000]).toEqual([true, true]);
  expect([readFileSync(path, "utf8"), readdirSync(root)]).toEqual(["b", ["file", ...others].toSorted()]);
  // Also where nothing is to change, as with a login that never was.
  writeFileSync(join(root, left[1] ?? ""), "secret");
  await rewrite(path, "secret", async (text) => text);
  expect(readdirSync(root)).toEqual(["file", ...others].toSorted());
});

test.skipIf(process.platform === "win32")("a file is removed also where there is no room to write", () => {
  const root = makeFolder();
  const path = join(root, "file");
  writeOwn(path, "secret");
  const module = new URL("./Files.ts", import.meta.url).href;
  const script = `
    const { rewrite } = await import(${JSON.stringify(module)});
    const change = (text) => rewrite(${JSON.stringify(path)}, "secret", async () => text).catch((error) => console.log(error.message));
    await change("other");
    await change(undefined);
  `;
  const args = ["-c", 'ulimit -f 0 && exec "$@"', "sh", process.execPath, "--input-type=module", "--eval", script];
  const { stdout } = spawnSync("sh", args, { encoding: "utf8" });
  expect([stdout, readdirSync(root)]).toEqual([`Cannot write ${path}: EFBIG\n`, []]);
});

test("the message of a system error says what to do about it", () => {
  expect(["ENOSPC", "EACCES", "EIO"].map((code) => reasonOf(withCode(code)))).toEqual([
    "the disk is full",
    "you may not write there",
    "EIO",
  ]);
  expect([reasonOf(new Error("it failed")), reasonOf({})]).toEqual(["it failed", "unknown"]);
});
