import { counted } from '../../foundation/index.ts'
import type { Queries, QueryAnswer, QueryProgress } from '../../lifecycle/index.ts'
import type { Invocation, Register } from '../invocation.ts'
import type { Progress } from '../output/progress.ts'

const MS_A_SECOND = 1_000
const PERCENT = 100

function numberOf(cli: Invocation, name: string): number | undefined {
  const value = cli.flags[name]
  return value === undefined ? undefined : Number(value)
}

/** A bar for what is fetched, then one for what is scanned. */
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
  return `${waiting.length} of ${objects.length} frozen objects are being thawed; ask again in some hours`
}

function summary({ files, hot, truncated }: Pick<QueryAnswer, 'files' | 'hot' | 'truncated'>): string {
  const more = truncated ? '; there are more rows: raise --rows' : ''
  return `${counted(files.length, 'archived object')}, ${counted(hot, 'row')} from PostgreSQL${more}`
}

export const query: Register = (program, perform) => {
  program
    .command('query')
    .argument('<sql>', 'one SELECT; tables are named as in PostgreSQL')
    .description('search everything that is kept, archived or not')
    .option('--format <format>', 'table, json, csv or parquet; with --output its ending says it')
    .option('--output <file>', 'write the answer there: .csv, .parquet or .json')
    .option('--rows <n>', 'rows of the answer at most (default: 10000, with --output 10000000)')
    .option('--timeout <seconds>', 'for all of it (default: 600)', '600')
    .option('--memory <size>', 'for the engine, such as 4GB (default: 1GB)')
    .option('--reason <text>', 'why it is asked: kept in the trail')
    .option('--thaw', 'ask for frozen objects to become readable, where the query needs some')
    .action((sql: string) =>
      perform(async (cli) => {
        const { csvLine, openQueries, queryFormat, writeAnswer } = await import('../../lifecycle/index.ts')
        const { AkashiError } = await import('../../foundation/index.ts')
        const { openObjects } = await import('../../start/index.ts')
        const { withConnections } = await import('../databases.ts')
        const { table } = await import('../output/table.ts')
        const { output, format, memory, reason } = cli.flags
        const file = typeof output === 'string' ? output : undefined
        const form = queryFormat(typeof format === 'string' ? format : cli.json ? 'json' : undefined, file)
        if (form === 'parquet' && file === undefined) {
          throw new AkashiError('invalid_input', 'Parquet goes to a file', { hint: 'name it with --output' })
        }
        const rows = numberOf(cli, 'rows')
        const request = {
          sql,
          ...(rows === undefined ? {} : { rows }),
          ...(typeof memory === 'string' ? { memory } : {}),
          ...(typeof reason === 'string' ? { reason } : {}),
          timeoutMs: Math.round((numberOf(cli, 'timeout') ?? Number.NaN) * MS_A_SECOND),
          signal: cli.signal,
        }
        const store = await openObjects(await cli.config())
        return await withConnections(cli, async ({ pool, actor }) => {
          const queries = openQueries({ database: pool('security_admin'), store })
          const watching = watch(cli)
          const asked = { ...request, onProgress: watching.onProgress }
          try {
            if (file !== undefined || form === 'parquet') {
              const answer = await writeAnswer(queries, actor, asked, { format: form, file: file ?? '' })
              await watching.stop()
              cli.print({ ...answer, output: file }, `${answer.written} rows in ${file}; ${summary(answer)}`)
              return 0
            }
            const answer = await queries.run(actor, asked)
            await watching.stop()
            const text = {
              table: () => `${table(answer.columns, answer.rows)}\n\n${summary(answer)}`,
              csv: () => csvLine(answer.columns) + answer.rows.map(csvLine).join(''),
              json: () => JSON.stringify(answer),
            }
            cli.print(answer, text[form]())
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
