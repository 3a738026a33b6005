import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'

/** Maximum width of a line in terminal cells. */
export const WIDTH_CELLS = 100
/** Milliseconds for reading a remark and the output of a command. */
const READ_MS = 1_800
const LOOK_MS = 700

/** Characters two cells wide. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/u

type Style = Parameters<typeof styleText>[0]

export interface Terminal {
  /** Begins a step. */
  heading(text: string): Promise<void>
  /** A remark. */
  say(text: string): Promise<void>
  /** A command as typed; for SQL the prompt names the user. */
  command(prompt: string, text: string): void
  /** The output of a command. */
  output(text: string): Promise<void>
  good(text: string): Promise<void>
  bad(text: string): Promise<void>
}

/** Uses colours only on a terminal; pauses unless `fast`. */
export function openTerminal(options: {
  readonly stdout: NodeJS.WriteStream
  readonly fast: boolean
  readonly signal: AbortSignal
}): Terminal {
  const { stdout, fast, signal } = options
  const coloured = stdout.isTTY && process.env['NO_COLOR'] === undefined
  let step = 0
  const paint = (style: Style, text: string) =>
    coloured ? styleText(style, text, { validateStream: false }) : text
  const print = (indent: string, text: string, style?: Style) => {
    for (const line of text.trimEnd().split('\n')) {
      for (const part of wrap(line, WIDTH_CELLS - indent.length)) {
        stdout.write(`${indent}${style === undefined ? part : paint(style, part)}\n`)
      }
    }
  }
  const pause = async (ms: number) => {
    signal.throwIfAborted()
    if (!fast) await sleep(ms, undefined, { signal })
  }
  return {
    heading: async (text) => {
      step += 1
      print('', `\n${step}. ${text}`, 'bold')
      await pause(LOOK_MS)
    },
    say: async (text) => {
      print('   ', text)
      await pause(READ_MS)
    },
    command: (prompt, text) => {
      const [first = '', ...rest] = text.split('\n')
      print('   ', `${prompt} ${first}`, 'cyan')
      for (const line of rest) print(' '.repeat(4 + prompt.length), line, 'cyan')
    },
    output: async (text) => {
      print('   ', text, 'dim')
      await pause(LOOK_MS)
    },
    good: async (text) => {
      print('   ', `✔ ${text}`, 'green')
      await pause(LOOK_MS)
    },
    bad: async (text) => {
      print('   ', `✘ ${text}`, 'red')
      await pause(READ_MS)
    },
  }
}

/** Wraps a line at `cells`, between words if possible; continuation lines are indented. */
function wrap(line: string, cells: number): string[] {
  const parts: string[] = []
  let part = ''
  for (const word of line.match(/[!-~]+ *| +|[^ -~]/gu) ?? []) {
    if (part !== '' && width(part) + width(word.trimEnd()) > cells) {
      parts.push(part.trimEnd())
      part = '  '
    }
    part += word
  }
  return [...parts, part.trimEnd()]
}

export function width(text: string): number {
  let cells = 0
  for (const character of text) cells += WIDE.test(character) ? 2 : 1
  return cells
}
