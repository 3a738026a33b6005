import { defineConfig } from 'vitest/config'

/** A synthesis takes seconds on a machine that does much else. */
const TIMEOUT_MS = 120_000

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: TIMEOUT_MS,
    hookTimeout: TIMEOUT_MS,
    env: {
      // A deprecated call of the CDK is an error.
      JSII_DEPRECATED: 'fail',
    },
  },
})
