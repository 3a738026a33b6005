/**
 * Prints the test counts of the last `npm run ci` as its last line. With `--none-skipped` a skipped test is a
 * failure. A run that stopped before the tests counts as none passed.
 */
import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'

const REPORT = '.test/vitest.json'

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numFailedTestSuites: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  success: z.boolean(),
})

if (existsSync(REPORT)) {
  const report = Report.parse(JSON.parse(readFileSync(REPORT, 'utf8')))
  const skipped = report.numPendingTests + report.numTodoTests
  // A file that fails to load has no tests but still failed.
  const failed = Math.max(report.numFailedTests, report.success ? 0 : 1)
  const refused = process.argv.includes('--none-skipped') && skipped > 0
  if (refused) console.error(`${skipped} tests were skipped, which is not allowed here`)
  console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = failed > 0 || refused || report.numPassedTests === 0 ? 1 : 0
} else {
  console.error('the gates before the tests failed; no test ran')
  process.exitCode = 1
}
