// Vitest reporter for the closing line and `TEST_COUNTS`.
import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";
import { closingLine, forbidsSkips, problems, type TestCounts } from "./TestCounts.ts";

export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    let passed = 0;
    const failed = unhandledErrors.map((error) => `unhandled: ${messageOf(error)}`);
    const flaky: Array<string> = [];
    const skipped: Array<string> = [];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state, errors = [] } = test.result();
        const name = `${module.project.name}: ${test.fullName}`;
        if (state === "passed") passed += 1;
        if (test.diagnostic()?.flaky) flaky.push(`${name}: ${messageOf(errors[0])}`);
        if (state === "failed") failed.push(`${name}: ${messageOf(errors[0])}`);
        if (state === "skipped") skipped.push(name);
      }
      // A module that could not even be collected has no tests that could fail.
      failed.push(...module.errors().map((error) => `${module.project.name}: ${module.moduleId}: ${messageOf(error)}`));
    }
    const counts: TestCounts = { passed, failed, flaky, skipped };
    const isForbidden = forbidsSkips(process.env, process.platform) && skipped.length > 0;
    const file = process.env["TEST_COUNTS"];
    process.on("exit", () => {
      if (isForbidden) process.exitCode = 1;
      const reason = isForbidden ? skipped.map((name) => `skipped, which fails in CI: ${name}\n`).join("") : "";
      if (file === undefined)
        process.stdout.write(`${problems({ ...counts, failed: [] })}\n${reason}${closingLine(counts)}\n`);
      else {
        process.stdout.write(reason);
        writeFileSync(file, JSON.stringify(counts));
      }
    });
  }
}

const messageOf = (error: unknown): string => String((error as { message?: unknown } | undefined)?.message ?? error);
