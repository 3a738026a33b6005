/** Startup time of `akashi up` on an existing data folder, and memory of Node when ready. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { removeCluster } from '../src/postgres/index.ts'
import { atMost, type Benchmark, figure, median } from './harness.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname

interface Run {
  readonly seconds: number
  readonly child: ChildProcess
}

async function up(data: string): Promise<Run> {
  const begun = performance.now()
  const child = spawn(process.execPath, [main, 'up', '--data', data, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('ready ')) return { seconds: (performance.now() - begun) / 1000, child }
  }
  throw new Error('akashi up exited before it was ready')
}

async function residentMebibytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

async function stop({ child }: Run): Promise<void> {
  child.kill('SIGTERM')
  await once(child, 'exit')
}

export const start: Benchmark = {
  name: 'start',
  description: '`akashi up` to its ready line, second start and later',
  async run({ rounds, progress }) {
    const data = await mkdtemp(join(tmpdir(), 'akashi-bench-start-'))
    await chmod(data, 0o711)
    try {
      const first = await up(data)
      progress(`first start: ${first.seconds.toFixed(2)} s`)
      await stop(first)
      const seconds: number[] = []
      const resident: number[] = []
      for (let round = 0; round < rounds; round += 1) {
        const run = await up(data)
        seconds.push(run.seconds)
        resident.push(await residentMebibytes(run.child.pid ?? 0))
        await stop(run)
        progress(`round ${round + 1}/${rounds}: ${run.seconds.toFixed(2)} s`)
      }
      return [
        figure('first start to ready', first.seconds, 's'),
        atMost('second start to ready', median(seconds), 's', 3),
        atMost('memory of Node when ready', median(resident), 'MiB', 250),
      ]
    } finally {
      await removeCluster(data)
      await rm(data, { recursive: true, force: true })
    }
  },
}
