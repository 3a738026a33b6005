/** A process of its own that works on a keyring: `child.ts ensure|rotate|churn|rewrap URL …`. */
import { once } from 'node:events'
import { openKeyring } from '../../src/keys/index.ts'

const KILL_AFTER_MS = 3

const say = (line: string) => process.stdout.write(`${line}\n`)
const [mode = '', url = '', subject = ''] = process.argv.slice(2)
say('ready')
await once(process.stdin, 'data')
const keyring = await openKeyring(url)

if (mode === 'ensure') {
  const ids = await Promise.all([
    ...Array.from({ length: 5 }, () => keyring.ensure('person', subject)),
    ...Array.from({ length: 5 }, () => keyring.ensure('checkpoint')),
  ])
  say(JSON.stringify(ids.map(({ id }) => id)))
}

if (mode === 'rotate') {
  const ids = await Promise.all(Array.from({ length: 3 }, () => keyring.rotate('context')))
  say(JSON.stringify(ids.map(({ id }) => id)))
}

if (mode === 'churn') {
  for (let n = 0; ; n++) {
    const { id } = await keyring.ensure('person', `${subject}-${n}`)
    say(`made ${id}`)
    if (n % 2 === 0) {
      await keyring.destroy(id)
      say(`destroyed ${id}`)
    }
  }
}
if (mode === 'rewrap') {
  // Killed as by kill -9, in the middle of the batch after the one named.
  const result = await keyring.rotateWrapping({
    onProgress: ({ done }) => {
      if (done >= Number(subject)) setTimeout(() => process.kill(process.pid, 'SIGKILL'), KILL_AFTER_MS)
    },
  })
  say(JSON.stringify(result))
}
process.exit(0)
