import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { isMissing, replaceFile } from './files.ts'
import type { Home } from './home-paths.ts'

/** `server.json`: the address of the server now or last time. postmaster.pid says whether it runs. */
const recordSchema = z.object({
  version: z.string(),
  port: z.number().int(),
  socketDir: z.string(),
  pid: z.number().int(),
})

export type ServerRecord = z.infer<typeof recordSchema>

export async function writeRecord(home: Home, record: ServerRecord): Promise<void> {
  await replaceFile(
    home.recordFile,
    `${JSON.stringify(record, null, 2)}
`,
    { mode: 0o644 },
  )
}

/** undefined when no server was ever ready here, or a crash of the machine left the file incomplete. */
export async function readRecord(home: Home): Promise<ServerRecord | undefined> {
  try {
    return recordSchema.safeParse(JSON.parse(await readFile(home.recordFile, 'utf8'))).data
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined
    throw error
  }
}
