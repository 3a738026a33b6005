import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errno } from '../foundation/index.ts'

/** Written by a running `akashi up` for other commands on the same data folder. */
export interface RunRecord {
  readonly pid: number
  readonly http: string
  readonly startedAt: string
}

function file(dataDir: string): string {
  return join(dataDir, 'run.json')
}

/** Creates the data folder, private to this account. */
export async function openDataFolder(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
}

export async function writeRunRecord(dataDir: string, record: RunRecord): Promise<void> {
  const temporary = `${file(dataDir)}.${process.pid}`
  await writeFile(temporary, JSON.stringify(record), { mode: 0o600 })
  await rename(temporary, file(dataDir))
}

export async function removeRunRecord(dataDir: string): Promise<void> {
  await rm(file(dataDir), { force: true })
}

/** Null when nothing is running, also if a process died without removing its record. */
export async function readRunRecord(dataDir: string): Promise<RunRecord | null> {
  let record: RunRecord
  try {
    record = JSON.parse(await readFile(file(dataDir), 'utf8')) as RunRecord
  } catch (error) {
    if (errno(error) === 'ENOENT' || error instanceof SyntaxError) return null
    throw error
  }
  try {
    process.kill(record.pid, 0)
    return record
  } catch (error) {
    return errno(error) === 'EPERM' ? record : null
  }
}
