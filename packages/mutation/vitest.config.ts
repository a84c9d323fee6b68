import { defineProject } from "vitest/config";

export default defineProject({ test: { name: "mutation", include: ["src/**/*.test.ts"] } });
