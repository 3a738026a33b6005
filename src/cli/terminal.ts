import { createInterface } from 'node:readline/promises'

/**
 * Asks on standard error, so that the question does not mix with results, and reads one line of standard input.
 * @throws AbortError when the signal fires
 */
export async function askAtTerminal(question: string, signal: AbortSignal): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const given = new AbortController()
  // Readline intercepts Ctrl-C while it asks; it is meant for the program.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  // The end of the input means no answer.
  terminal.on('close', () => given.abort())
  try {
    return await terminal.question(question, { signal: AbortSignal.any([signal, given.signal]) })
  } finally {
    terminal.close()
    process.stdin.unref()
  }
}
