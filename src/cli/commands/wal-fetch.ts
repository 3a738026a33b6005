import type { Register } from '../invocation.ts'

export const walFetch: Register = (program, perform) => {
  program
    .command('wal-fetch')
    .argument('<file>', "the server's %f")
    .argument('<path>', "the server's %p")
    .description('fetch one WAL file from the store, for restore_command; exits 1 only if it does not exist')
    .option('--cluster <id>', 'system id of the cluster, if the store has several')
    .action((file: string, path: string) =>
      perform(async (cli) => {
        const { fetchWal, WAL_FETCH_FAILED } = await import('../../backup/index.ts')
        const { withStoredBackups } = await import('../../start/index.ts')
        const cluster = cli.flags['cluster'] === undefined ? undefined : String(cli.flags['cluster'])
        try {
          const found = await withStoredBackups(await cli.config(), cluster, (backupStore) =>
            fetchWal(backupStore, file, path),
          )
          return found ? 0 : 1
        } catch (error) {
          cli.note(`akashi: ${error instanceof Error ? error.message : 'wal-fetch failed'}`)
          return WAL_FETCH_FAILED
        }
      }),
    )
}
