import type { Log } from '../../src/foundation/index.ts'

/** Keeps what was said, for a test to look at. */
export function keepingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = []
  const keep =
    (level: string) =>
    (...said: unknown[]) => {
      lines.push(
        [
          level,
          ...said.map((each) => (typeof each === 'string' ? each : JSON.stringify(each, plainErrors))),
        ].join(' '),
      )
    }
  return { lines, debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') }
}

function plainErrors(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}
