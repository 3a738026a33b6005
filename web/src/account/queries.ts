import { queryOptions } from '@tanstack/react-query'
import { call } from '../api/index.ts'

export const factorsQuery = queryOptions({
  queryKey: ['me', 'mfa'],
  queryFn: ({ signal }) => call('GET /v1/me/mfa', { signal }),
})

export const passkeysQuery = queryOptions({
  queryKey: ['me', 'passkeys'],
  queryFn: ({ signal }) => call('GET /v1/me/passkeys', { signal }),
})

export const sessionsQuery = queryOptions({
  queryKey: ['me', 'sessions'],
  queryFn: ({ signal }) => call('GET /v1/me/sessions', { signal }),
})

export const consentsQuery = queryOptions({
  queryKey: ['me', 'consents'],
  queryFn: ({ signal }) => call('GET /v1/me/consents', { signal }),
})

export const erasureRequestQuery = queryOptions({
  queryKey: ['me', 'erasure-request'],
  queryFn: ({ signal }) => call('GET /v1/me/erasure-request', { signal }),
})
