import type { ResponseOf } from '@akashi/contract'
import { Alert, Button, Stack, TextInput } from '@mantine/core'
import type { TFunction } from 'i18next'
import { type FormEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, Problem } from '../api/index.ts'
import { PasswordField, problemText } from '../ui/index.ts'

interface PasswordStepProps {
  readonly onAnswer: (answer: ResponseOf<'POST /v1/session'>) => Promise<void> | void
}

export function PasswordStep({ onAnswer }: PasswordStepProps) {
  const { t } = useTranslation()
  const [login, setLogin] = useState('')
  const [password, setPassword] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await onAnswer(await call('POST /v1/session', { body: { login: login.trim(), password } }))
    } catch (failure) {
      setError(failure)
      setPassword('')
      field.current?.focus()
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="md">
        {error !== null && (
          <Alert color="red" role="alert">
            {signInErrorText(t, error)}
          </Alert>
        )}
        <TextInput
          label={t('signIn.login')}
          name="username"
          autoComplete="username"
          autoCapitalize="off"
          spellCheck={false}
          size="md"
          value={login}
          onChange={(event) => setLogin(event.currentTarget.value)}
          required
          withAsterisk={false}
          autoFocus
        />
        <PasswordField
          ref={field}
          label={t('signIn.password')}
          name="password"
          autoComplete="current-password"
          size="md"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button type="submit" size="md" loading={busy} fullWidth>
          {t('signIn.submit')}
        </Button>
      </Stack>
    </form>
  )
}

const SECONDS_PER_MINUTE = 60

/** The message for a failed sign-in. Like the server's, it does not reveal whether the account exists. */
export function signInErrorText(t: TFunction, error: unknown): string {
  if (!(error instanceof Problem)) return problemText(t, error)
  if (error.code === 'rate_limited' && error.retryAfterSeconds !== null) {
    return t('signIn.locked', { count: Math.ceil(error.retryAfterSeconds / SECONDS_PER_MINUTE) })
  }
  switch (error.reason) {
    case 'password_expired':
      return t('signIn.expired')
    case 'account_not_active':
      return t('signIn.inactive')
    case 'sign_in_over':
      return t('signIn.over')
    case 'wrong_code':
      return t('errors.wrong_code')
    default:
      return error.status === 401 ? t('signIn.wrong') : problemText(t, error)
  }
}
