import { defineProject } from "vitest/config";

export default defineProject({ test: { name: "http-cache", include: ["src/**/*.test.ts"] } });
