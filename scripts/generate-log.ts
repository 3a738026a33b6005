/**
 * Writes a synthetic log to standard output and, with --expect, the expected results of parsing it:
 *   node scripts/generate-log.ts --format sshd --lines 1000000 --seed 1 --expect expect.json > sshd.log
 */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { logGenerators } from './event-logs/index.ts'

const CHUNK_CHARACTERS = 1 << 20

const { values } = parseArgs({
  options: {
    format: { type: 'string', default: 'sshd' },
    lines: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    expect: { type: 'string' },
  },
})
const generate = new Map(Object.entries(logGenerators)).get(values.format)
if (generate === undefined) throw new Error(`unknown format: ${values.format}`)

const log = generate(Number(values.lines), Number(values.seed))
let chunk = ''
let next = log.next()
for (; !next.done; next = log.next()) {
  chunk += `${next.value}\n`
  if (chunk.length < CHUNK_CHARACTERS) continue
  if (!process.stdout.write(chunk)) await once(process.stdout, 'drain')
  chunk = ''
}
process.stdout.write(chunk)
if (values.expect !== undefined) await writeFile(values.expect, `${JSON.stringify(next.value, null, 2)}\n`)
