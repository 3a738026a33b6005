/** `keyring.json`: what wraps the keys beside it. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AkashiError, given } from '../foundation/index.ts'
import { readPrivateFile, writeIfAbsent } from './private-files.ts'

const protection = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('scrypt'),
    salt: z.base64(),
    N: z.int().positive(),
    r: z.int().positive(),
    p: z.int().positive().max(16),
    check: z.base64(),
  }),
  z.strictObject({ kind: z.literal('aws-kms') }),
])
export type Protection = z.infer<typeof protection>

const keyringFile = z.strictObject({ version: z.literal(1), protection })

/** Protection of the keys; decided when the keyring is created. */
export async function keyringProtection(root: string, make: () => Promise<Protection>): Promise<Protection> {
  const path = join(root, 'keyring.json')
  if ((await readPrivateFile(path)) === null) {
    const used = (await readdir(join(root, 'keys'))).length > 0
    // Read again: another process may have created the keyring and its first key meanwhile.
    if (used && (await readPrivateFile(path)) === null) throw damagedKeyring()
    const made = { version: 1, protection: await make() }
    await writeIfAbsent(join(root, 'temp'), path, `${JSON.stringify(made, null, 2)}\n`)
  }
  try {
    return keyringFile.parse(JSON.parse((await readPrivateFile(path)) ?? '')).protection
  } catch (cause) {
    throw cause instanceof AkashiError ? cause : damagedKeyring(cause)
  }
}

export function damagedKeyring(cause?: unknown): AkashiError {
  return new AkashiError('integrity', 'the keyring is damaged: a metadata file is missing or was changed', {
    hint: 'restore the metadata from a backup of the keyring; the keys are intact',
    ...given({ cause }),
  })
}
