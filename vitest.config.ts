import { defineConfig } from 'vitest/config'

/** Two workers fit two cores: a test file may run a PostgreSQL of its own. */
const MAX_WORKERS = 2
const TEST_TIMEOUT_MS = 120_000
/** What is polled for is there long before, but on a machine that does much else. */
const POLL_TIMEOUT_MS = 20_000
/** Hooks start servers and migrate databases. */
const HOOK_TIMEOUT_MS = 120_000

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'client/test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: MAX_WORKERS,
    testTimeout: TEST_TIMEOUT_MS,
    expect: { poll: { timeout: POLL_TIMEOUT_MS } },
    hookTimeout: HOOK_TIMEOUT_MS,
  },
})
