/** A process of its own that works on a store: `child.ts race|stall|loop URL …`. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { AkashiError, Secret } from '../../src/foundation/index.ts'
import { openObjectStore } from '../../src/object-store/index.ts'

const MEBIBYTE = 1024 * 1024
const say = (line: string) => process.stdout.write(`${line}\n`)
const [mode = '', url = '', key = '', count = '1'] = process.argv.slice(2)
const azure = process.env['AZURE_STORAGE_CONNECTION_STRING']
const store = await openObjectStore(
  url,
  azure === undefined ? {} : { azureConnectionString: new Secret(azure) },
)

async function attempt(writer: number): Promise<string> {
  const body = Buffer.from(`${process.pid}:${writer}`)
  try {
    return `won ${(await store.put(key, body, { ifAbsent: true })).sha256}`
  } catch (error) {
    return error instanceof AkashiError ? error.code : String(error)
  }
}

if (mode === 'race') {
  say('ready')
  await once(process.stdin, 'data')
  const outcomes = await Promise.all(Array.from({ length: Number(count) }, (_, n) => attempt(n)))
  say(JSON.stringify(outcomes))
  process.exit(0)
}

if (mode === 'stall') {
  let sent = 0
  const body = new Readable({
    read() {
      if (sent++ < 4) this.push(randomBytes(MEBIBYTE))
      else say('stalled')
    },
  })
  setInterval(() => {}, 1000)
  await store.put(key, body)
}

if (mode === 'loop') {
  for (let n = 0; ; n++) {
    const bytes = randomBytes(Math.floor(Math.random() * MEBIBYTE))
    const name = `${key}/${n % 3 === 0 ? 'same' : n}`
    say(`begin ${name} ${createHash('sha256').update(bytes).digest('hex')}`)
    await store.put(name, Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]))
    say(`end ${name}`)
  }
}
