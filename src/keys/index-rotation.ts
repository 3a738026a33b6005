/**
 * Rotation of the blind index key. Between `beginIndexRotation` and `endIndexRotation` values are indexed under
 * the new key and looked up under both, while existing rows are reindexed. Processes notice either within
 * {@link INDEX_KEYS_MS}.
 *
 * `index-rotation.json` names the old key. The next run resumes one that was killed.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { jsonOrNull, syncFolder } from '../foundation/index.ts'
import { damagedKeyring } from './keyring-file.ts'
import { readPrivateFile, writeIfAbsent } from './private-files.ts'
import type { ServiceKeys } from './service-keys.ts'
import type { IndexKeys } from './types.ts'

/** Milliseconds for which a process caches the index keys. */
export const INDEX_KEYS_MS = 1_000

const mark = z.strictObject({ version: z.literal(1), from: z.string() })
const pathOf = (root: string) => join(root, 'index-rotation.json')

export async function indexKeys(root: string, own: ServiceKeys): Promise<IndexKeys> {
  const active = (await own.ensure('blind-index')).id
  const from = await readMark(root)
  return { active, former: from === active ? null : from }
}

export async function beginIndexRotation(
  root: string,
  own: ServiceKeys,
): Promise<{ readonly keyId: string; readonly resumed: boolean }> {
  const active = (await own.ensure('blind-index')).id
  const text = `${JSON.stringify({ version: 1, from: active })}\n`
  const resumed = !(await writeIfAbsent(join(root, 'temp'), pathOf(root), text))
  // After a kill between the two steps, the mark names the key that is still active.
  const pending = (await readMark(root)) === active
  return { keyId: pending ? (await own.rotate('blind-index')).id : active, resumed }
}

export async function endIndexRotation(root: string): Promise<void> {
  await rm(pathOf(root), { force: true })
  await syncFolder(root)
}

async function readMark(root: string): Promise<string | null> {
  const text = await readPrivateFile(pathOf(root))
  if (text === null) return null
  const parsed = mark.safeParse(jsonOrNull(text))
  if (!parsed.success) throw damagedKeyring()
  return parsed.data.from
}
