import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reachableFolder, removeDataDir } from '../support/embedded.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const hasPsql = spawnSync('psql', ['--version']).status === 0
const START_TIMEOUT_MS = 120_000

if (process.env['CI'] === 'true' && !hasPsql)
  throw new Error('the commands of the README need psql, which CI must install')

/** Lines of a README's sh blocks, but for lines that are only a comment. */
async function commands(page = 'README.md'): Promise<string[]> {
  const text = await readFile(`${root}/${page}`, 'utf8')
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block = '']) => block.split('\n'))
    .filter((line) => line !== '' && !line.startsWith('#'))
}

let folder = ''
let akashi: ChildProcess

beforeAll(async () => {
  folder = await reachableFolder()
  akashi = spawn(`${root}/bin/akashi`, ['up', '--data', folder, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (akashi.stdout === null) throw new Error('the output of akashi is a pipe')
  for await (const line of createInterface({ input: akashi.stdout })) if (line.startsWith('ready ')) break
}, START_TIMEOUT_MS)

afterAll(async () => {
  akashi.kill('SIGTERM')
  await once(akashi, 'exit')
  await removeDataDir(folder)
})

/** The exit status that a line's comment promises. */
function promised(line: string): number[] {
  const said = /# exits (\d)( while)?/.exec(line)
  if (said === null) return [0]
  return said[2] === undefined ? [Number(said[1])] : [0, Number(said[1])]
}

it('starts with npm scripts that are there', async () => {
  const { scripts } = JSON.parse(await readFile(`${root}/package.json`, 'utf8')) as {
    scripts: Record<string, string>
  }
  const npm = (await commands()).filter((line) => line.startsWith('npm '))
  expect(npm).toEqual(['npm install && npm start', 'npm install && npm test'])
  expect(scripts).toMatchObject({ start: expect.any(String) as unknown, test: expect.any(String) as unknown })
})

it('says the same in Japanese', async () => {
  const withoutComments = (lines: string[]) => lines.map((line) => line.replace(/\s+#.*$/, ''))
  expect(withoutComments(await commands('README.ja.md'))).toEqual(withoutComments(await commands()))
})

it.skipIf(!hasPsql)('has commands that do what it says, in their order', { timeout: 120_000 }, async () => {
  const lines = (await commands()).filter((line) => !line.startsWith('npm '))
  expect(lines.length).toBeGreaterThan(10)
  for (const line of lines) {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', line], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, AKASHI_DATA: folder },
    })
    expect(promised(line), `${line}\n${stdout}${stderr}`).toContain(status)
    // The sealer takes what was just written within a second; verify is to see it sealed.
    await new Promise((resolve) => setTimeout(resolve, 700))
  }
})
