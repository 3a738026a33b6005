import { createInterface } from 'node:readline/promises'

/**
 * One question on standard error, where it does not mix with results; the answer is a line of standard input.
 * Rejects with an AbortError when the signal ends it.
 */
export async function askAtTerminal(question: string, signal: AbortSignal): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const given = new AbortController()
  // Readline takes Ctrl-C for itself while it asks; it means the program.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  // The end of the input is an answer: none.
  terminal.on('close', () => given.abort())
  try {
    return await terminal.question(question, { signal: AbortSignal.any([signal, given.signal]) })
  } finally {
    terminal.close()
    process.stdin.unref()
  }
}
