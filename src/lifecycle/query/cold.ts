/** Finds the archived objects with rows of a time span. */
import { AkashiError } from '../../foundation/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { type Manifest, type ManifestPart, readManifest } from '../archive/manifest.ts'
import type { ArchivedShape } from '../archive/matched-columns.ts'
import type { Span } from './bounds.ts'
import type { ColdExport } from './catalog.ts'
import { KEPT_MANIFESTS } from './limits.ts'

export interface ColdPart {
  readonly part: ManifestPart
  readonly shape: ArchivedShape
}

const MICROS_A_MS = 1_000n
const TIME = 'created_at'

/** Manifests by SHA-256; they never change. */
export type Manifests = Map<string, Manifest>

/** Parts of the exports that may contain rows of the span. @throws integrity when a manifest is missing or was replaced */
export async function coldParts(
  store: ObjectStore,
  kept: Manifests,
  exports: readonly ColdExport[],
  span: Span,
  signal: AbortSignal,
): Promise<ColdPart[]> {
  const parts: ColdPart[] = []
  for (const each of exports) {
    if (each.rows === 0) continue
    if (span.from !== undefined && BigInt(each.toMicros) <= span.from) continue
    if (span.to !== undefined && BigInt(each.fromMicros) >= span.to) continue
    const manifest = await manifestOf(store, kept, each, signal)
    for (const part of manifest.parts) {
      if (overlaps(part.columns[TIME], span)) parts.push({ part, shape: manifest })
    }
  }
  return parts
}

async function manifestOf(
  store: ObjectStore,
  kept: Manifests,
  { manifest: key, manifestSha256 }: ColdExport,
  signal: AbortSignal,
): Promise<Manifest> {
  const known = kept.get(manifestSha256)
  if (known !== undefined) return known
  const stored = await readManifest(store, key, manifestSha256, signal)
  if (stored === undefined) {
    throw new AkashiError('integrity', `${key} is missing from the object store`, {
      hint: 'run akashi archive verify',
      detail: { key },
    })
  }
  const [oldest] = kept.keys()
  if (kept.size >= KEPT_MANIFESTS && oldest !== undefined) kept.delete(oldest)
  kept.set(manifestSha256, stored.manifest)
  return stored.manifest
}

/** Bounds that cannot be parsed, such as BC years, do not exclude a part. */
function overlaps(
  range: { readonly min: string | null; readonly max: string | null } | undefined,
  span: Span,
): boolean {
  const min = microsOf(range?.min)
  const max = microsOf(range?.max)
  if (max !== undefined && span.from !== undefined && max < span.from) return false
  return !(min !== undefined && span.to !== undefined && min >= span.to)
}

/** DuckDB's text of a time, such as `2016-12-10 06:55:46.123456+00`. */
function microsOf(text: string | null | undefined): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/.exec(text ?? '')
  if (match === null) return undefined
  const [, date = '', clock = '', fraction = ''] = match
  const ms = Date.parse(`${date}T${clock}Z`)
  return Number.isNaN(ms) ? undefined : BigInt(ms) * MICROS_A_MS + BigInt(fraction.padEnd(6, '0'))
}
