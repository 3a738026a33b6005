/**
 * `npm run demo -- [--lang ja|en] [--fast] [--generated]`: shows in about a minute what Akashi does, in a temporary
 * data folder. `--generated` ingests a generated log even if a real one is available.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { removeCluster } from '../src/postgres/index.ts'
import { akashiUp } from './akashi-process.ts'
import { type Language, messages } from './demo/messages.ts'
import { openStage, Unexpected } from './demo/stage.ts'
import { runStory } from './demo/story.ts'
import { openTerminal } from './demo/terminal.ts'

const STATUS_OF_INTERRUPTED = 130

const { values } = parseArgs({
  options: {
    lang: { type: 'string' },
    fast: { type: 'boolean', default: false },
    generated: { type: 'boolean', default: false },
  },
})

function language(): Language {
  const asked = values.lang ?? process.env['LC_ALL'] ?? process.env['LANG'] ?? ''
  return asked.startsWith('ja') ? 'ja' : 'en'
}

const controller = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort())
const { signal } = controller
const text = messages[language()]
const terminal = openTerminal({ stdout: process.stdout, fast: values.fast, signal })

async function demo(cleanup: AsyncDisposableStack): Promise<void> {
  process.stdout.write(`${text.title}\n`)
  const data = await mkdtemp(join(tmpdir(), 'akashi-demo-'))
  cleanup.defer(async () => {
    await removeCluster(data)
    await rm(data, { recursive: true, force: true })
  })
  await terminal.heading(text.start)
  terminal.command('$', `export AKASHI_DATA=${data}`)
  terminal.command('$', 'akashi up --port 0 &')
  const starting = akashiUp(data)
  // Also if it is not ready yet: it must be stopped before its folder is removed.
  cleanup.defer(async () => {
    await starting.then((running) => running.stop()).catch(() => undefined)
  })
  await terminal.say(text.startSaid)
  const running = await starting
  await terminal.good(text.ready(running.url))
  const stage = await openStage(data, terminal, text)
  cleanup.defer(() => stage.close())
  await runStory(stage, values)
}

const cleanup = new AsyncDisposableStack()
try {
  await demo(cleanup)
} catch (error) {
  if (signal.aborted) {
    process.stdout.write(`\n${text.cancelled}\n`)
    process.exitCode = STATUS_OF_INTERRUPTED
  } else if (error instanceof Unexpected) {
    process.stderr.write(`\n${text.failed(error.message)}\n`)
    process.exitCode = 1
  } else {
    throw error
  }
} finally {
  await cleanup.disposeAsync()
}
