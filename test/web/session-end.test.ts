import { expect, test, vi } from 'vitest'
import type { Session } from '../../web/src/api/session.ts'

test('a session ends once, however many requests learn of it, and takes what was read with it along', async () => {
  // Of the browser the module only watches whether anybody is there.
  vi.stubGlobal('addEventListener', () => undefined)
  vi.stubGlobal('document', { addEventListener: () => undefined })
  const { endSession, lastSessionEnd, queryClient } = await import('../../web/src/api/session.ts')
  queryClient.setQueryData(['session'], { user: { username: 'aoi' } } as unknown as Session)
  queryClient.setQueryData(['rooms'], ['general'])
  endSession('signed_out')
  expect(queryClient.getQueryData(['session'])).toBeNull()
  expect(queryClient.getQueryData(['rooms'])).toBeUndefined()
  expect(lastSessionEnd()).toBe('signed_out')

  // The page to sign in is there when the answer to an earlier request comes.
  queryClient.setQueryData(['sign-in-methods'], { password: true })
  endSession()
  expect(queryClient.getQueryData(['sign-in-methods'])).toEqual({ password: true })
  expect(lastSessionEnd()).toBe('signed_out')
})
