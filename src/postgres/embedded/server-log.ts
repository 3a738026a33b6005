import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Names sort by time. */
export const SERVER_LOG_NAME = 'postgresql-%Y-%m-%d_%H%M%S.log'
/** PostgreSQL starts a new file after a day or this much. */
export const LOG_FILE_SIZE = '10MB'
const KEPT_LOG_FILES = 10
const PRUNE_INTERVAL_MS = 60_000

/** PostgreSQL rotates its log but never deletes files; without this, a faulty client could fill the disk. */
export function keepLogBounded(logDir: string): { stop(): void } {
  const prune = (): void => void pruneLog(logDir).catch(() => undefined)
  prune()
  const timer = setInterval(prune, PRUNE_INTERVAL_MS).unref()
  return { stop: () => clearInterval(timer) }
}

export async function pruneLog(logDir: string): Promise<void> {
  for (const name of (await logNames(logDir)).slice(0, -KEPT_LOG_FILES)) {
    await rm(join(logDir, name), { force: true })
  }
}

/** The end of the log files that are not in `known`. */
export async function readNewLogs(
  logDir: string,
  known: readonly string[],
  maxChars: number,
): Promise<string> {
  const names = (await logNames(logDir)).filter((name) => !known.includes(name))
  const texts = await Promise.all(names.map(async (name) => await readFile(join(logDir, name), 'utf8')))
  return texts.join('').slice(-maxChars)
}

export async function logNames(logDir: string): Promise<string[]> {
  return (await readdir(logDir)).filter((name) => name.endsWith('.log')).sort()
}
