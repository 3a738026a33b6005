import { keysIn, type VerifierKey } from '@akashi/client/proof'
import { useQuery } from '@tanstack/react-query'
import { ledgerQuery } from '../queries.ts'

/** The keys of this server's logs: of somebody who trusts the server. Undefined until they are read. */
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
