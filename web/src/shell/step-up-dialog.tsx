import type { BodyOf } from '@akashi/contract'
import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, onStepUp, Problem, refreshSession } from '../api/index.ts'
import { CodeField, PasswordField, problemText } from '../ui/index.ts'

/** Asks for credentials again when the server wants them; the request that needed them then goes on. */
export function StepUpDialog() {
  const { t } = useTranslation()
  const [settle, setSettle] = useState<((done: boolean) => void) | null>(null)
  useEffect(() => onStepUp(() => new Promise((resolve) => setSettle(() => resolve))), [])
  const close = (done: boolean) => {
    settle?.(done)
    setSettle(null)
  }
  return (
    <Modal
      opened={settle !== null}
      onClose={() => close(false)}
      title={t('stepUp.title')}
      closeButtonProps={{ 'aria-label': t('common.close') }}
      size="sm"
    >
      <Proof onDone={() => close(true)} onCancel={() => close(false)} />
    </Modal>
  )
}

interface ProofProps {
  readonly onDone: () => void
  readonly onCancel: () => void
}

function Proof({ onDone, onCancel }: ProofProps) {
  const { t } = useTranslation()
  const way = useWay()
  const [value, setValue] = useState('')
  const [recovery, setRecovery] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const prove = async (body: BodyOf<'POST /v1/session/step-up'>) => {
    setBusy(true)
    setError(null)
    try {
      await call('POST /v1/session/step-up', { body })
      void refreshSession()
      onDone()
    } catch (failure) {
      setValue('')
      setError(wrongText(failure))
    } finally {
      setBusy(false)
    }
  }
  const wrongText = (failure: unknown) => {
    if (!(failure instanceof Problem) || failure.status !== 401) return problemText(t, failure)
    return way === 'password' ? t('stepUp.wrongPassword') : t('errors.wrong_code')
  }
  if (way === 'provider') {
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
    if (way === 'password') return void prove({ password: value })
    void prove(recovery ? { recoveryCode: value.trim() } : { code: value })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text c="dimmed" size="sm">
          {t('stepUp.detail')}
        </Text>
        {way === 'password' ? (
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

/** How this account can show who it is: whoever has a second factor shows that. */
function useWay(): 'password' | 'factor' | 'provider' | null {
  const { data: factors } = useQuery({
    queryKey: ['me', 'mfa'],
    queryFn: ({ signal }) => call('GET /v1/me/mfa', { signal }),
  })
  const { data: profile } = useQuery({
    queryKey: ['me'],
    queryFn: ({ signal }) => call('GET /v1/me', { signal }),
  })
  if (factors === undefined || profile === undefined) return null
  if (factors.factors.some(({ confirmedAt }) => confirmedAt !== null)) return 'factor'
  return profile.issuer === 'local' ? 'password' : 'provider'
}
