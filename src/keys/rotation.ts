/**
 * Online rotation of the wrapping key: a new key takes over, then the keys of all persons and rooms are rewrapped in batches. The
 * old key is retired but kept, since a backup of the folder may still need it.
 *
 * `rotation.json` marks a rotation in progress. The next run resumes one that was killed; each key names its
 * wrapping key, which shows what is left to do.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AkashiError } from '../foundation/index.ts'
import { damagedKeyring } from './keyring-file.ts'
import { ownedPurposeOf } from './person-key-file.ts'
import type { PersonKeys } from './person-keys.ts'
import { readPrivateFile, writeIfAbsent } from './private-files.ts'
import type { ServiceKeys } from './service-keys.ts'
import type { PersonKeyCounts, RotationOptions, RotationResult } from './types.ts'

/** Keys rewrapped while holding the lock once; an erasure waits for one batch at most. */
const BATCH_KEYS = 32
const MARK = 'rotation.json'

const mark = z.strictObject({ version: z.literal(1), to: z.string() })

export async function rotateWrapping(
  root: string,
  own: ServiceKeys,
  persons: PersonKeys,
  { signal, onProgress }: RotationOptions,
): Promise<RotationResult> {
  const path = join(root, MARK)
  const resumed = await readMark(path)
  const to = resumed ?? (await own.rotate('wrapping')).id
  if (resumed === null)
    await writeIfAbsent(join(root, 'temp'), path, `${JSON.stringify({ version: 1, to })}\n`)
  let keys = 0
  let rewrapped = 0
  // A key created during a pass may have the old wrapping, so repeat until a pass finds none.
  for (let found = -1; found !== 0; ) {
    const ids = await allIds(persons)
    keys = ids.length
    found = 0
    for (let at = 0; at < ids.length; at += BATCH_KEYS) {
      throwIfAborted(signal)
      const wrapping = await own.ensure('wrapping')
      const batch = ids.slice(at, at + BATCH_KEYS)
      const done = await persons.rewrap(batch, wrapping)
      found += done
      rewrapped += done
      onProgress?.({ done: at + batch.length, total: ids.length })
    }
  }
  await rm(path, { force: true })
  return { keyId: to, resumed: resumed !== null, keys, rewrapped }
}

export async function countPersonKeys(
  root: string,
  persons: PersonKeys,
  { signal }: Pick<RotationOptions, 'signal'>,
): Promise<PersonKeyCounts> {
  const wrappedBy = new Map<string, number>()
  let keys = 0
  let destroyed = 0
  let rooms = 0
  for await (const { id, file } of persons.all()) {
    throwIfAborted(signal)
    const isRoom = ownedPurposeOf(id) === 'room'
    if (file.kind === 'destroyed') destroyed += isRoom ? 0 : 1
    else {
      if (isRoom) rooms += 1
      else keys += 1
      wrappedBy.set(file.wrappedBy, (wrappedBy.get(file.wrappedBy) ?? 0) + 1)
    }
  }
  return { keys, destroyed, rooms, wrappedBy, rotating: await isRotating(root) }
}

export async function isRotating(root: string): Promise<boolean> {
  return (await readMark(join(root, MARK))) !== null
}

async function allIds(persons: PersonKeys): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const shard of persons.shards()) ids.push(...shard)
  return ids
}

/** The new wrapping key id of the rotation in progress; null if there is none. */
async function readMark(path: string): Promise<string | null> {
  const text = await readPrivateFile(path)
  if (text === null) return null
  try {
    return mark.parse(JSON.parse(text)).to
  } catch (cause) {
    throw damagedKeyring(cause)
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  throw new AkashiError('cancelled', 'the rotation was stopped', {
    hint: 'run it again: it resumes where it stopped',
  })
}
