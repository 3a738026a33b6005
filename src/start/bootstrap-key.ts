/**
 * Until there are users, one key guards `/v1`. It is printed once, when it is made; only its SHA-256 is
 * kept.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errno } from '../foundation/index.ts'

const KEY_BYTES = 32
const PREFIX = 'akashi_bootstrap_'

export interface BootstrapKey {
  /** The key itself, only when this call made it. */
  readonly created: string | undefined
  /** Forgets a key that this call made and nobody was shown; the next start makes another. */
  discard(): Promise<void>
  /** Whether a presented key is the one, in constant time. */
  matches(presented: string): boolean
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** The key of a data folder, made on first use. */
export async function openBootstrapKey(dataDir: string): Promise<BootstrapKey> {
  const file = join(dataDir, 'bootstrap-key.sha256')
  const fresh = `${PREFIX}${randomBytes(KEY_BYTES).toString('base64url')}`
  let created: string | undefined = fresh
  let expected = digest(fresh)
  try {
    await writeFile(file, `${expected.toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (errno(error) !== 'EEXIST') throw error
    created = undefined
    expected = Buffer.from((await readFile(file, 'utf8')).trim(), 'hex')
  }
  return {
    created,
    discard: async () => {
      if (created !== undefined) await rm(file, { force: true })
    },
    matches: (presented) => {
      const given = digest(presented)
      return given.length === expected.length && timingSafeEqual(given, expected)
    },
  }
}
