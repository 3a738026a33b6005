import { defineConfig } from 'vitest/config'

/** A synthesis takes seconds on a machine that does much else. */
const TIMEOUT_MS = 120_000
/** Exchanges a module of the application, so it has modules of its own. */
const ALONE = ['test/findings.test.ts']

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: TIMEOUT_MS,
    hookTimeout: TIMEOUT_MS,
    env: {
      // A deprecated call of the CDK is an error.
      JSII_DEPRECATED: 'fail',
    },
    projects: [
      // Loading the CDK takes seconds: each worker loads it once, and synthesizes each environment once.
      {
        extends: true,
        test: { name: 'stacks', include: ['test/**/*.test.ts'], exclude: ALONE, isolate: false },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
  },
})
