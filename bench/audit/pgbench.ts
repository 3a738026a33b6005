/** Load by pgbench, whose clients cost a fraction of any driver's, so that the server is what is measured. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Statement } from '../lean-client.ts'

const THREADS = 2

/** Whether there is a pgbench in the path. */
export async function hasPgbench(): Promise<boolean> {
  const child = spawn('pgbench', ['--version'], { stdio: 'ignore' })
  return await Promise.race([
    once(child, 'exit').then(([status]) => status === 0),
    once(child, 'error').then(() => false),
  ])
}

export interface Load {
  readonly clients: number
  readonly seconds: number
  /** Transactions per second of all clients; as fast as they can without it. */
  readonly rate?: number
}

export interface Reached {
  /** Transactions per second. */
  readonly tps: number
  /** Of a transaction, without the time that it waited for its turn. */
  readonly milliseconds: number
}

/** `clients` clients repeat the statements, each prepared once a connection. */
export async function pgbench(
  url: string,
  statements: readonly Statement[],
  { clients, seconds, rate }: Load,
): Promise<Reached> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-pgbench-'))
  try {
    const script = join(folder, 'transaction.sql')
    await writeFile(script, statements.map((statement) => `${inline(statement)};\n`).join(''))
    const counts = ['-c', String(clients), '-j', String(THREADS), '-T', String(seconds)]
    if (rate !== undefined) counts.push('-R', String(rate))
    const child = spawn('pgbench', ['-n', '-M', 'prepared', ...counts, '-f', script, url], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    const [, tps] = /^tps = ([\d.]+)/m.exec(output) ?? []
    const [, latency] = /^latency average = ([\d.]+) ms/m.exec(output) ?? []
    const [, waited = '0'] = /^rate limit schedule lag: avg ([\d.]+)/m.exec(output) ?? []
    if (tps === undefined || /aborted/.test(errors)) throw new Error(`pgbench failed: ${errors}`)
    return { tps: Number(tps), milliseconds: Number(latency) - Number(waited) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A statement with its values as literals. pgbench takes every colon before a letter for a variable of its own. */
function inline({ text: sql, values = [] }: Statement): string {
  return sql.replace(/\$(\d+)/g, (_, number: string) => {
    const value = values[Number(number) - 1] ?? ''
    return `'${value.replaceAll("'", "''")}'`
  })
}
