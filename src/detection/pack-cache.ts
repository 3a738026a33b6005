/**
 * Compiled rules, kept until a file, a folder or a threshold changes: compiling the pack takes far longer
 * than checking its files.
 */
import { type FileRules, listRuleFiles, parseRuleFiles } from './pack.ts'
import type { Overrides, Parsed } from './rule/parse.ts'

/** Sets of folders and thresholds whose rules are kept; an installation has one, and commands name others. */
const MAX_KEPT = 4

/** By folders and thresholds. The newest is the last. */
const kept = new Map<string, { readonly stamp: string; readonly parsed: Promise<Parsed> }>()

/** The same as `readRuleFolders`, without compiling again what has not changed. */
export async function cachedRuleFolders(
  folders: readonly string[],
  overrides: Overrides = {},
): Promise<Parsed> {
  const key = JSON.stringify([folders, overrides])
  // Read before the texts: a file that changes meanwhile has another stamp next time.
  const files = await listRuleFiles(folders)
  const stamp = JSON.stringify(files.map(stampOf))
  const found = kept.get(key)
  if (found?.stamp === stamp) return await found.parsed
  const parsed = parseRuleFiles(files, overrides)
  kept.delete(key)
  kept.set(key, { stamp, parsed })
  const [oldest] = kept.keys()
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest)
  try {
    return await parsed
  } catch (error) {
    if (kept.get(key)?.parsed === parsed) kept.delete(key)
    throw error
  }
}

/** What changes with the text of a file. The time of its last change of status cannot be set back. */
function stampOf({ path, size, inode, changedAt, modifiedAt }: FileRules): string {
  return [path, size, inode, changedAt, modifiedAt].join(' ')
}
