import { httpsCertificate, type ServerCertificate, serverCertificate } from '../postgres/index.ts'

/** Milliseconds between two reads: certificates are renewed days ahead. */
const KEPT_MS = 3_600_000

type Found = ServerCertificate & { readonly of: string }

/** Reads the certificates that clients see, once an hour; unreachable servers are reported elsewhere. */
export function certificatesOf({
  databaseUrl,
  publicUrl,
}: {
  readonly databaseUrl: string
  readonly publicUrl: string | undefined
}): () => Promise<readonly Found[]> {
  let kept: readonly Found[] = []
  let readAt = Number.NEGATIVE_INFINITY
  return async () => {
    if (performance.now() - readAt < KEPT_MS) return kept
    const database = await serverCertificate(databaseUrl).catch(() => null)
    const page =
      publicUrl?.startsWith('https:') === true ? await httpsCertificate(publicUrl).catch(() => null) : null
    kept = [
      ...(database === null ? [] : [{ ...database, of: 'the database' }]),
      ...(page === null ? [] : [{ ...page, of: publicUrl ?? '' }]),
    ]
    readAt = performance.now()
    return kept
  }
}
