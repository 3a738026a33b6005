import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Names of the files in `directory` that are missing or differ from `built` (name → text). */
export async function staleFiles(
  directory: string,
  built: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const stale: string[] = []
  for (const [name, text] of Object.entries(built)) {
    const current = await readFile(join(directory, name), 'utf8').catch(() => null)
    if (current !== text) stale.push(name)
  }
  return stale
}
