/** Source maps that lead from a line to a line, a small part of those that also know columns and names. */

/** https://tc39.es/ecma426/ */
export interface SourceMap {
  readonly version: number
  readonly file?: string | null
  readonly sources: readonly (string | null)[]
  readonly mappings: string
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
/** A digit has five bits and says whether another follows. */
const BITS = 5
const MORE = 1 << BITS

/**
 * The map with the first mapping of each line, put at its beginning, and without the text of the sources.
 *
 * @param rename gives the sources the names under which stack traces show them
 */
export function byLine(map: SourceMap, rename: (source: string) => string) {
  let [source, line, beforeSource, beforeLine] = [0, 0, 0, 0]
  const mappings = map.mappings.split(';').map((segments) => {
    let first: readonly [source: number, line: number] | undefined
    for (const segment of segments.split(',')) {
      const [, sources, lines] = decode(segment)
      if (sources === undefined || lines === undefined) continue
      source += sources
      line += lines
      first ??= [source, line]
    }
    if (first === undefined) return ''
    const delta = [0, first[0] - beforeSource, first[1] - beforeLine, 0]
    ;[beforeSource, beforeLine] = first
    return delta.map(encode).join('')
  })
  const sources = map.sources.map((name) => rename(name ?? ''))
  return { version: map.version, sources, names: [], mappings: mappings.join(';') }
}

function decode(segment: string): number[] {
  const numbers: number[] = []
  let [value, shift] = [0, 0]
  for (const character of segment) {
    const digit = DIGITS.indexOf(character)
    value |= (digit & (MORE - 1)) << shift
    shift += BITS
    if ((digit & MORE) !== 0) continue
    numbers.push((value & 1) === 1 ? -(value >> 1) : value >> 1)
    ;[value, shift] = [0, 0]
  }
  return numbers
}

function encode(number: number): string {
  let value = number < 0 ? (-number << 1) | 1 : number << 1
  let text = ''
  do {
    const digit = value & (MORE - 1)
    value >>= BITS
    text += DIGITS[value > 0 ? digit | MORE : digit] ?? ''
  } while (value > 0)
  return text
}
