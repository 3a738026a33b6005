import { MAX_PAGE_SIZE } from '@akashi/contract'
import { useQuery } from '@tanstack/react-query'
import { call, useMay } from '../../api/index.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Characters of an id that distinguish it from others on a page. */
const SHORT_ID = 8
/** Milliseconds for which names are kept; accounts are seldom renamed. */
const KEPT_MS = 300_000

/** Usernames by id of the accounts that one request lists; empty for who may not see accounts. */
function useNames(): ReadonlyMap<string, string> | undefined {
  const may = useMay()
  return useQuery({
    queryKey: ['console', 'names'],
    queryFn: async ({ signal }) => {
      const { users } = await call('GET /v1/users', { query: { limit: MAX_PAGE_SIZE }, signal })
      return new Map(users.map(({ id, username }) => [id, username]))
    },
    staleTime: KEPT_MS,
    enabled: may('users:read'),
  }).data
}

/** The username of an id where it is known, else the beginning of the id; any other text as it is. */
export function PersonName({ of }: { readonly of: string }) {
  const name = useNames()?.get(of)
  if (name === undefined && !UUID.test(of)) return <>{of}</>
  return <span title={of}>{name ?? `${of.slice(0, SHORT_ID)}…`}</span>
}
