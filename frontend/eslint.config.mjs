import { readdirSync } from "node:fs";
import { join } from "node:path";

import next from "eslint-config-next/core-web-vitals";
import typescript from "eslint-config-next/typescript";

const FEATURES_DIR = join(import.meta.dirname, "src/features");
const features = readdirSync(FEATURES_DIR, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

/** Derived from the directory, so a new feature is fenced the moment it exists. */
const featuresStayApart = features.map((feature) => ({
  target: `./src/features/${feature}`,
  from: "./src/features",
  except: [`./${feature}`],
  message: "A feature never imports another one: compose them in src/app.",
}));

const config = [
  { ignores: [".next/**", "coverage/**", "next-env.d.ts", "src/lib/api/schema.gen.ts"] },
  ...next,
  ...typescript,
  {
    files: ["**/*.{ts,tsx,mjs}"],
    rules: {
      "max-lines": ["error", { max: 250, skipBlankLines: true, skipComments: true }],
      "no-console": "error",
      eqeqeq: "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "import/no-restricted-paths": [
        "error",
        {
          basePath: import.meta.dirname,
          zones: [
            ...featuresStayApart,
            {
              target: ["./src/components", "./src/lib"],
              from: ["./src/features", "./src/app"],
              message: "Shared code knows no feature and no route.",
            },
            {
              target: "./src/features",
              from: "./src/app",
              message: "Routes import features, not the other way.",
            },
          ],
        },
      ],
      "no-restricted-syntax": [
        "error",
        {
          selector: "MemberExpression[object.name=/^(localStorage|sessionStorage)$/]",
          message:
            "Nothing is stored where scripts can read it, save by src/lib/storage.ts (and never a token).",
        },
      ],
    },
  },
  { files: ["src/lib/storage.ts"], rules: { "no-restricted-syntax": "off" } },
  { files: ["scripts/**", "tests/**"], rules: { "no-console": "off", "no-restricted-syntax": "off" } },
];

export default config;
