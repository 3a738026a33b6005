/** The first start of a data folder offers the sample workspace, at a terminal and elsewhere. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { offerSample } from '../../src/cli/commands/sample.ts'
import type { Register } from '../../src/cli/invocation.ts'
import { akashi } from '../cli/world.ts'
import { reachableFolder, removeDataDir } from '../support/embedded.ts'

let data = ''
beforeAll(async () => {
  data = await reachableFolder()
})
afterAll(() => removeDataDir(data))

/** Runs `akashi up` at a terminal until it has printed `last`. */
async function upUntil(last: RegExp, answer: string) {
  const stop = new AbortController()
  const asked: string[] = []
  let stderr = ''
  let stdout = ''
  const look = () => {
    if (last.test(stderr + stdout)) stop.abort('the test')
  }
  const { status } = await akashi(['up', '--data', data, '--port', '0'], {
    world: {
      environment: { AKASHI_LOG_LEVEL: 'silent' },
      ask: async (question) => {
        asked.push(question)
        return answer
      },
      stdout: {
        write: (text) => {
          stdout += text
          look()
        },
      },
      stderr: {
        write: (text) => {
          stderr += text
          look()
        },
      },
      signal: stop.signal,
    },
  })
  return { status, asked, stderr, stdout }
}

/** The offer alone, as a verb. */
const offer: Register = (program, perform) => {
  program.command('offer').action(() =>
    perform(async (cli) => {
      await (await offerSample(cli))?.carryOut()
      return 0
    }),
  )
}

it.each([
  ['is declined', 'n'],
  ['is not understood', 'what?'],
])('tells the command when it %s', async (_, answer) => {
  const ask = async () => answer
  const { stderr } = await akashi(['offer', '--data', `${data}/none`], { verbs: [offer], world: { ask } })
  expect(stderr).toBe('to add a sample workspace: akashi sample add\n')
})

it('tells the command where nobody can be asked', async () => {
  const { stderr } = await akashi(['offer', '--data', `${data}/none`], { verbs: [offer] })
  expect(stderr).toBe('to add a sample workspace: akashi sample add\n')
})

it('tells the command when nobody answers', async () => {
  const ask = () => Promise.reject(new DOMException('too late', 'AbortError'))
  const { stderr } = await akashi(['offer', '--data', `${data}/none`], { verbs: [offer], world: { ask } })
  expect(stderr).toBe('to add a sample workspace: akashi sample add\n')
})

it('makes the workspace when it is accepted, and asks this once', async () => {
  const first = await upUntil(/sample workspace/, '')
  expect(first.asked).toEqual(['Add a sample chat workspace with four people? [Y/n] '])
  expect(first.stdout).toMatch(/^ready http/)
  for (const name of ['aoi', 'ken', 'mei', 'lukas']) {
    expect(first.stderr).toMatch(new RegExp(`^${name} .*(\\w{5}-){3}\\w{5}$`, 'm'))
  }
  const second = await upUntil(/ready http/, '')
  expect(second).toMatchObject({ status: 0, asked: [] })
  expect(second.stderr).not.toContain('sample')
})
