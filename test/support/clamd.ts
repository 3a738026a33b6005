import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const PROGRAM = '/usr/sbin/clamd'
/** In CI it must be there, so that nothing is skipped. */
export const hasClamd = process.env['CI'] === 'true' || existsSync(PROGRAM)

/** The file that every scanner is to find, put together here so that this file is not one. */
export const eicar = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('')

export interface Clamd {
  readonly url: URL
  stop(): Promise<void>
}

/** ClamAV's daemon with a signature database of one entry: what it ships with is gigabytes that only its mirror has. */
export async function startClamd(streamMaxLength = '101M'): Promise<Clamd> {
  const folder = await mkdtemp(join(tmpdir(), 'akashi-clamd-'))
  const socket = join(folder, 'clamd.sock')
  await writeFile(join(folder, 'test.ndb'), `Test.Eicar:0:0:${Buffer.from(eicar).toString('hex')}\n`)
  await writeFile(
    join(folder, 'clamd.conf'),
    [
      `LocalSocket ${socket}`,
      `DatabaseDirectory ${folder}`,
      `TemporaryDirectory ${folder}`,
      'Foreground yes',
      `StreamMaxLength ${streamMaxLength}`,
      'MaxScanSize 400M',
      'MaxFileSize 101M',
      'MaxRecursion 8',
      // An archive that unpacks to more than the limits is refused, not waved through.
      'AlertExceedsMax yes',
      'User root',
      '',
    ].join('\n'),
  )
  const daemon = spawn(PROGRAM, ['--config-file', join(folder, 'clamd.conf')], { stdio: 'ignore' })
  const stop = async () => {
    await ended(daemon)
    await rm(folder, { recursive: true, force: true })
  }
  for (let tries = 0; tries < 300; tries += 1) {
    if (await answers(socket)) return { url: new URL(`clamd:${socket}`), stop }
    if (daemon.exitCode !== null) break
    await wait(100)
  }
  await stop()
  throw new Error('clamd did not start')
}

async function ended(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return
  const gone = new Promise((resolve) => daemon.once('exit', resolve))
  daemon.kill('SIGKILL')
  await gone
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => socket.end('zPING\0'))
    socket.once('data', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
