import { createLineReader, type Line, type LineReader, tooLong } from './lines.ts'

/**
 * Reads objects over several lines, as every pretty-printer writes them: only the first and the last line of an object
 * begin with a bracket. An object that is not complete when the next one begins is handed over as it is, so that one
 * damaged record spoils no other.
 */
export function createPrettyReader(maxBytes: number, before: number): LineReader {
  const lines = createLineReader(maxBytes)
  let number = before
  let kept: string[] = []
  let keptBytes = 0
  let repaired = false
  let problem: string | null = null

  const finish = (records: Line[]) => {
    if (keptBytes > 0) {
      number += 1
      if (keptBytes > maxBytes) records.push(tooLong(number, maxBytes))
      else if (problem !== null) records.push({ number, text: null, problem, repaired })
      else records.push({ number, text: kept.join('\n'), problem: null, repaired })
    }
    kept = []
    keptBytes = 0
    repaired = false
    problem = null
  }

  const collect = (found: readonly Line[]): Line[] => {
    const records: Line[] = []
    for (const line of found) {
      const text = line.text ?? ''
      if (text.startsWith('{')) finish(records)
      if (line.problem === null && text.trim() === '' && kept.length === 0) continue
      keptBytes += Buffer.byteLength(text) + 1
      repaired ||= line.repaired
      problem ??= line.problem
      if (keptBytes > maxBytes) kept = []
      else kept.push(text.startsWith('}') ? '}' : text)
      if (text.startsWith('}')) finish(records)
    }
    return records
  }

  return {
    push: (chunk) => collect(lines.push(chunk)),
    end() {
      const records = collect(lines.end())
      finish(records)
      return records
    },
  }
}
