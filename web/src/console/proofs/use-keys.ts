import { keysIn, type VerifierKey } from '@akashi/client/proof'
import { useQuery } from '@tanstack/react-query'
import { ledgerQuery } from '../queries.ts'

/** The keys of this server's logs, for users who trust the server. Undefined until they are loaded. */
export function useServerKeys(): readonly VerifierKey[] | undefined {
  const heads = useQuery(ledgerQuery)
  const text = heads.data?.logs.flatMap(({ keys }) => keys).join('\n')
  const keys = useQuery({
    queryKey: ['console', 'keys', text],
    queryFn: () => keysIn(text ?? ''),
    enabled: text !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  })
  return keys.data
}
