/**
 * Runs an embedded server in a process of its own, to be killed: prints one line of JSON when the server
 * is ready, or when it failed, and stops it when standard input ends.
 * Arguments: the data folder, the port.
 */
import { startEmbedded } from '../../src/postgres/embedded/index.ts'

const [dataDir = '', port = '0'] = process.argv.slice(2)

try {
  const server = await startEmbedded({ dataDir, port: Number(port), settings: { fsync: 'off' } })
  tell({ pid: server.pid, url: server.url('postgres') })
  process.stdin.resume().once('end', () => void server.stop())
} catch (error) {
  tell({ error: String(error) })
}

function tell(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}
