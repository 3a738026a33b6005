import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { messages } from '../../scripts/demo/messages.ts'
import { WIDTH_CELLS, width } from '../../scripts/demo/terminal.ts'

const script = resolve(import.meta.dirname, '../../scripts/demo.ts')
const DEMO_TIMEOUT_MS = 180_000
/** What stands before a remark or a finding. */
const INDENT_CELLS = 5

interface Run {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

function demo(args: readonly string[]): Promise<Run> {
  const { PATH = '', HOME = '' } = process.env
  return new Promise((done) => {
    execFile(process.execPath, [script, ...args], { env: { PATH, HOME } }, (error, stdout, stderr) => {
      done({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

const runs = [
  ['a real log, where there is one, in English', 'en', []],
  ['a generated log, in Japanese', 'ja', ['--generated']],
] as const

it.each(process.env['AKASHI_LONG'] === '1' ? runs : runs.slice(0, 1))(
  'shows the whole thread, names six tamperings, and brings back what is kept: %s',
  async (_, language, more) => {
    const { status, stdout, stderr } = await demo(['--fast', '--lang', language, ...more])
    expect(status, stdout + stderr).toBe(0)
    expect(stderr).toBe('')
    const text = messages[language]
    const found = [...stdout.matchAll(/^ {2,5}(changed|removed|added|trigger|crosscheck)\b/gm)].map(
      ([, kind]) => kind,
    )
    expect(found.filter((kind) => kind !== 'crosscheck')).toEqual([
      'changed',
      'removed',
      'added',
      'changed',
      'trigger',
    ])
    expect(found).toContain('crosscheck')
    for (const title of [text.start, ...Object.values(text.tamperings)]) expect(stdout).toContain(title)
    expect(stdout).toMatch(/^ {3}\{"sha256":"[0-9a-f]{64}"\}$/m)
    expect(stdout).toMatch(/^ {3}\d{4}-\d\d-\d\dT\d\d:00Z +\d+ {2}█+$/m)
    expect(stdout.split(text.undone)).toHaveLength(7)
    expect(stdout).toMatch(/^ {3}a0000001 +192\.0\.2\.10 +true +INSERT +orders +1001 +12800$/m)
    expect(stdout).toMatch(/^ {3}a0000002 +192\.0\.2\.20 +true +UPDATE +orders +1001 +12800 +9800$/m)
    expect(stdout).toMatch(/; 0 events stored/)
    expect(stdout).toContain(text.proven)
    expect(stdout).toContain(text.forgedProof)
    expect(stdout).toMatch(/^ {3}dropped +akashi_security\.security_events +security_events_p\d{8} /m)
    expect(stdout).toMatch(/^ {3}[1-9]\d* archived objects?/m)
    expect(stdout).toMatch(/^ {3}missing now: 1, changed: 0, added since: 0$/m)
    expect(stdout).toContain(text.broughtBack)
    expect(stdout).toContain(text.end)
    expect(stdout).not.toContain('\u001b')
    expect(stdout.split('\n').filter((line) => width(line) > WIDTH_CELLS)).toEqual([])
    const folder = /AKASHI_DATA=(\S+)/.exec(stdout)?.[1] ?? ''
    expect(folder).not.toBe('')
    expect(existsSync(folder)).toBe(false)
  },
  DEMO_TIMEOUT_MS,
)

/** What a text says, whichever language: functions with something to fill in. */
function said(text: unknown): string[] {
  if (typeof text === 'string') return [text]
  if (typeof text === 'function') return [String(text('orders', '1'))]
  return Object.values(text ?? {}).flatMap(said)
}

it('says everything in Japanese too, each text on a line of its own', () => {
  expect(Object.keys(messages.ja.tamperings)).toEqual(Object.keys(messages.en.tamperings))
  expect(Object.keys(messages.ja).toSorted()).toEqual(Object.keys(messages.en).toSorted())
  const texts = said(messages.ja)
  expect(texts).toHaveLength(said(messages.en).length)
  expect(texts.filter((each) => !/[぀-ヿ一-鿿]/.test(each))).toEqual([])
  expect(texts.filter((each) => width(each) > WIDTH_CELLS - INDENT_CELLS)).toEqual([])
})
