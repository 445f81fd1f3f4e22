import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": `${import.meta.dirname}/src`, "@tests": `${import.meta.dirname}/tests` } },
  test: {
    environment: "jsdom",
    globals: true,
    include: ["tests/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/setup.ts"],
    restoreMocks: true,
    // For machines that are busy with other things; a passing test takes a fraction of it.
    testTimeout: 30_000,
    coverage: {
      provider: "v8",
      include: ["src/lib/**", "src/features/**"],
      exclude: ["**/*.gen.ts"],
      reporter: ["text-summary", "lcov", "json-summary"],
      // The core: what every page depends on.
      thresholds: { "src/lib/**": { branches: 80, lines: 85 } },
    },
  },
});
