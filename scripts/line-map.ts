/** Source maps that lead from a line to a line, a small part of those that also know columns and names. */
import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec'

/** https://tc39.es/ecma426/ */
export interface SourceMap {
  readonly version: number
  readonly file?: string | null
  readonly sources: readonly (string | null)[]
  readonly mappings: string
}

/**
 * The map with the first mapping of each line, put at its beginning, and without the text of the sources.
 *
 * @param rename gives the sources the names under which stack traces show them
 */
export function byLine(map: SourceMap, rename: (source: string) => string) {
  const lines = decode(map.mappings).map((segments): SourceMapSegment[] => {
    const first = segments.find((segment) => segment.length > 1)
    return first?.length === 4 || first?.length === 5 ? [[0, first[1], first[2], 0]] : []
  })
  const sources = map.sources.map((name) => rename(name ?? ''))
  return { version: map.version, sources, names: [], mappings: encode(lines) }
}
