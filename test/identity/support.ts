import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import { type Keyring, openKeyring, openPersonVault, type PersonVault } from '../../src/keys/index.ts'

/** A keyring of the calling test file, removed after its tests. */
export function testKeyring(): {
  readonly url: string
  readonly keyring: Keyring
  readonly vault: PersonVault
} {
  let folder = ''
  let keyring: Keyring | undefined
  let vault: PersonVault | undefined
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'akashi-identity-'))
    keyring = await openKeyring(pathToFileURL(join(folder, 'keys')).href)
    vault = openPersonVault(keyring)
  })
  afterAll(async () => {
    await keyring?.close()
    await rm(folder, { recursive: true, force: true })
  })
  const ready = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('the keyring is there inside tests only')
    return value
  }
  return {
    get url() {
      return pathToFileURL(join(folder, 'keys')).href
    },
    get keyring() {
      return ready(keyring)
    },
    get vault() {
      return ready(vault)
    },
  }
}
