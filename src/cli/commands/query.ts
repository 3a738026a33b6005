import { counted, given } from '../../foundation/index.ts'
import type { Queries, QueryProgress, QueryResult } from '../../lifecycle/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import type { Progress } from '../output/progress.ts'

const MS_A_SECOND = 1_000
const PERCENT = 100

function numberOf(cli: Invocation, name: string): number | undefined {
  const value = cli.flags[name]
  return value === undefined ? undefined : Number(value)
}

/** A progress bar for fetching, then one for scanning. */
function watch(cli: Invocation): {
  readonly onProgress: (progress: QueryProgress) => void
  stop(): Promise<void>
} {
  let shown: { readonly phase: string; readonly bar: Promise<Progress> } | undefined
  const stop = async () => (await shown?.bar)?.stop()
  return {
    onProgress: ({ phase, done }) => {
      if (shown?.phase !== phase) {
        void stop()
        shown = { phase, bar: cli.progress(phase === 'fetch' ? 'fetching' : 'scanning', PERCENT) }
      }
      void shown.bar.then((bar) => bar.update(Math.round(done * PERCENT)))
    },
    stop,
  }
}

async function thaw(queries: Queries, error: unknown): Promise<string> {
  const { AkashiError } = await import('../../foundation/index.ts')
  const objects = error instanceof AkashiError ? error.detail['frozen'] : undefined
  if (!Array.isArray(objects)) throw error
  const waiting = await queries.thaw(objects.map(String))
  return `${waiting.length} of ${objects.length} frozen objects are being thawed; run the query again in some hours`
}

function summary({ files, hot, truncated }: Pick<QueryResult, 'files' | 'hot' | 'truncated'>): string {
  const more = truncated ? '; there are more rows: raise --rows' : ''
  return `${counted(files.length, 'archived object')}, ${counted(hot, 'row')} from PostgreSQL${more}`
}

export const query: Register = (program, perform) => {
  program
    .command('query')
    .argument('<sql>', 'one SELECT; tables are named as in PostgreSQL')
    .description('query current and archived rows with SQL')
    .option('--format <format>', 'table, json, csv or parquet (default with --output: by its extension)')
    .option('--output <file>', 'write the result there: .csv, .parquet or .json')
    .option('--rows <n>', 'maximum number of rows (default: 10000, with --output 10000000)')
    .option('--timeout <seconds>', 'time limit (default: 600)', '600')
    .option('--memory <size>', 'memory limit, such as 4GB (default: 1GB)')
    .option('--reason <text>', 'recorded in the audit trail')
    .option('--thaw', 'request the frozen objects that the query needs from the store')
    .action((sql: string) =>
      perform(async (cli) => {
        const { csvLine, openQueries, queryFormat, writeResult } = await import('../../lifecycle/index.ts')
        const { AkashiError } = await import('../../foundation/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const { output, format, memory, reason } = cli.flags
        const file = typeof output === 'string' ? output : undefined
        const form = queryFormat(typeof format === 'string' ? format : cli.json ? 'json' : undefined, file)
        if (form === 'parquet' && file === undefined) {
          throw new AkashiError('invalid_input', 'parquet output needs a file', { hint: 'add --output FILE' })
        }
        const rows = numberOf(cli, 'rows')
        const request = {
          sql,
          ...given({ rows }),
          ...(typeof memory === 'string' ? { memory } : {}),
          ...(typeof reason === 'string' ? { reason } : {}),
          timeoutMs: Math.round((numberOf(cli, 'timeout') ?? Number.NaN) * MS_A_SECOND),
          signal: cli.signal,
        }
        const store = await openObjects(await cli.config())
        return await withConnections(cli, async ({ pool, actor }) => {
          const queries = openQueries({ database: pool('security_admin'), store })
          const watching = watch(cli)
          const watched = { ...request, onProgress: watching.onProgress }
          try {
            if (file !== undefined || form === 'parquet') {
              const result = await writeResult(queries, actor, watched, { format: form, file: file ?? '' })
              await watching.stop()
              cli.print({ ...result, output: file }, `${result.written} rows in ${file}; ${summary(result)}`)
              return 0
            }
            const result = await queries.run(actor, watched)
            await watching.stop()
            const text = {
              table: () => `${table(result.columns, result.rows)}\n\n${summary(result)}`,
              csv: () => csvLine(result.columns) + result.rows.map(csvLine).join(''),
              json: () => JSON.stringify(result),
            }
            cli.print(result, text[form]())
            return 0
          } catch (error) {
            if (cli.flags['thaw'] !== true) throw error
            cli.note(await thaw(queries, error))
            return 1
          } finally {
            await watching.stop()
            queries.close()
          }
        })
      }),
    )
}
