import { queryOptions } from '@tanstack/react-query'
import { call } from './client.ts'

/** The caller's own account. */
export const profileQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => call('GET /v1/me', { signal }),
})
