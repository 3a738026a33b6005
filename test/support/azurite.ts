import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

/** Microsoft's emulator of Azure Blob Storage, in memory, in a process of its own. */
export interface Azurite {
  readonly url: string
  readonly account: string
  /** Base64. */
  readonly key: string
  stop(): Promise<void>
}

const ACCOUNT = 'akashitest'
const KEY = Buffer.from('a key for tests that opens nothing else').toString('base64')

export async function startAzurite(): Promise<Azurite> {
  const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js')
  // The client speaks a version of the protocol that is newer than the emulator's.
  const options = ['--blobPort', '0', '--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry']
  const child = spawn(process.execPath, [program, ...options, '--silent'], {
    env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${KEY}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  for await (const line of createInterface(child.stdout)) {
    const [, url] = /successfully listens on (http:\S+)/.exec(line) ?? []
    if (url === undefined) continue
    child.stdout.resume()
    return { url: `${url}/${ACCOUNT}`, account: ACCOUNT, key: KEY, stop }
  }
  throw new Error('Azurite did not start')
}
