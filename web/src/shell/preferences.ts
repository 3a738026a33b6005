import type { BodyOf } from '@akashi/contract'
import { useMantineColorScheme } from '@mantine/core'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { call, queryClient } from '../api/index.ts'
import { type Language, setLanguage } from '../i18n/index.ts'

export const preferencesQuery = queryOptions({
  queryKey: ['preferences'],
  queryFn: ({ signal }) => call('GET /v1/chat/preferences', { signal }),
})

export const schemes = ['auto', 'light', 'dark'] as const
export type Scheme = (typeof schemes)[number]

/** Applies what the person chose on another device. */
export function useAccountPreferences(): void {
  const { data } = useQuery(preferencesQuery)
  const { setColorScheme } = useMantineColorScheme()
  const applied = useRef<typeof data>(undefined)
  useEffect(() => {
    // Once for each response: a choice on this device is kept until the account has it.
    if (data === undefined || data === applied.current) return
    applied.current = data
    if (data.locale !== null) setLanguage(data.locale)
    // The default of an account that never chose one; the device may have its own.
    if (data.theme !== 'auto') setColorScheme(data.theme)
  }, [data, setColorScheme])
}

/** Changes the language on this device and, for people who are signed in, in their account. */
export function chooseLanguage(locale: Language, signedIn: boolean): void {
  setLanguage(locale)
  if (signedIn) save({ locale })
}

/** Changes the theme on this device and, for people who are signed in, in their account. */
export function useChooseScheme(signedIn: boolean): (theme: Scheme) => void {
  const { setColorScheme } = useMantineColorScheme()
  return (theme) => {
    setColorScheme(theme)
    if (signedIn) save({ theme })
  }
}

/** The device has the choice already, so that a failure needs no notice. */
function save(body: BodyOf<'PATCH /v1/chat/preferences'>): void {
  call('PATCH /v1/chat/preferences', { body })
    .then((preferences) => queryClient.setQueryData(preferencesQuery.queryKey, preferences))
    .catch(() => undefined)
}
