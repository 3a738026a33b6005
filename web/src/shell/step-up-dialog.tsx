import type { BodyOf } from '@akashi/contract'
import { Button, Group, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, onStepUp, Problem, refreshSession } from '../api/index.ts'
import { CodeField, Dialog, PasskeyButton, PasswordField, problemText } from '../ui/index.ts'

/** Asks for credentials again when an operation needs them; the operation then continues. */
export function StepUpDialog() {
  const { t } = useTranslation()
  const [settle, setSettle] = useState<((done: boolean) => void) | null>(null)
  useEffect(() => onStepUp(() => new Promise((resolve) => setSettle(() => resolve))), [])
  const close = (done: boolean) => {
    settle?.(done)
    setSettle(null)
  }
  return (
    <Dialog opened={settle !== null} onClose={() => close(false)} title={t('stepUp.title')} size="sm">
      <StepUpForm onDone={() => close(true)} onCancel={() => close(false)} />
    </Dialog>
  )
}

interface StepUpFormProps {
  readonly onDone: () => void
  readonly onCancel: () => void
}

function StepUpForm({ onDone, onCancel }: StepUpFormProps) {
  const { t } = useTranslation()
  const { method, hasPasskey } = useMethods()
  const [value, setValue] = useState('')
  const [recovery, setRecovery] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const confirm = async (body: BodyOf<'POST /v1/session/step-up'>) => {
    setBusy(true)
    setError(null)
    try {
      await call('POST /v1/session/step-up', { body })
      void refreshSession()
      onDone()
    } catch (failure) {
      setValue('')
      setError(errorText(failure))
    } finally {
      setBusy(false)
    }
  }
  const errorText = (failure: unknown) => {
    if (!(failure instanceof Problem) || failure.status !== 401) return problemText(t, failure)
    return method === 'password' ? t('stepUp.wrongPassword') : t('errors.wrong_code')
  }
  if (method === 'provider') {
    return (
      <Stack>
        <Text>{t('stepUp.provider')}</Text>
        <Group justify="flex-end">
          <Button onClick={onCancel}>{t('common.close')}</Button>
        </Group>
      </Stack>
    )
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (method === 'password') return void confirm({ password: value })
    void confirm(recovery ? { recoveryCode: value.trim() } : { code: value })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text c="dimmed" size="sm">
          {t('stepUp.detail')}
        </Text>
        {method === 'password' ? (
          <PasswordField
            label={t('signIn.password')}
            autoComplete="current-password"
            value={value}
            onChange={(event) => setValue(event.currentTarget.value)}
            error={error}
            data-autofocus
          />
        ) : (
          <CodeField
            recovery={recovery}
            onRecovery={(next) => {
              setRecovery(next)
              setValue('')
            }}
            value={value}
            onChange={setValue}
            error={error}
          />
        )}
        {hasPasskey && (
          <PasskeyButton
            size="sm"
            onError={(failure) => setError(failure === null ? null : errorText(failure))}
            onProof={async (passkey) => {
              await call('POST /v1/session/step-up', { body: { passkey } })
              void refreshSession()
              onDone()
            }}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onCancel}>
            {t('common.cancel')}
          </Button>
          <Button type="submit" loading={busy} disabled={value === ''}>
            {t('stepUp.confirm')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

/** How this account confirms its identity: by its second factors if it has some. */
function useMethods(): {
  readonly method: 'password' | 'factor' | 'provider' | null
  readonly hasPasskey: boolean
} {
  const { data: factors } = useQuery({
    queryKey: ['me', 'mfa'],
    queryFn: ({ signal }) => call('GET /v1/me/mfa', { signal }),
  })
  const { data: keys } = useQuery({
    queryKey: ['me', 'passkeys'],
    queryFn: ({ signal }) => call('GET /v1/me/passkeys', { signal }),
  })
  const { data: profile } = useQuery({
    queryKey: ['me'],
    queryFn: ({ signal }) => call('GET /v1/me', { signal }),
  })
  if (factors === undefined || keys === undefined || profile === undefined)
    return { method: null, hasPasskey: false }
  const hasPasskey = keys.passkeys.length > 0
  if (hasPasskey || factors.factors.some(({ confirmedAt }) => confirmedAt !== null))
    return { method: 'factor', hasPasskey }
  return { method: profile.issuer === 'local' ? 'password' : 'provider', hasPasskey }
}
