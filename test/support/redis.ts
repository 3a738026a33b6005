import { spawn, spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from './local-server.ts'

const PROGRAM = 'redis-server'
/** In CI it must be there, so that nothing is skipped. */
export const hasRedis = process.env['CI'] === 'true' || spawnSync(PROGRAM, ['--version']).status === 0

export interface Redis {
  readonly url: string
  stop(): Promise<void>
}

/** A server that keeps nothing. */
export async function startRedis(port?: number): Promise<Redis> {
  const at = port ?? (await freePort())
  const server = spawn(
    PROGRAM,
    ['--port', String(at), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    {
      stdio: 'ignore',
    },
  )
  const gone = new Promise((resolve) => server.once('exit', resolve))
  for (let tries = 0; tries < 100 && !(await answers(at)); tries += 1) await wait(50)
  return {
    url: `redis://127.0.0.1:${at}`,
    stop: async () => {
      server.kill('SIGKILL')
      await gone
    },
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
