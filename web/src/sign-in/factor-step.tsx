import type { ResponseOf } from '@akashi/contract'
import { Alert, Anchor, Button, Stack } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, Problem } from '../api/index.ts'
import { CodeField, PasskeyButton } from '../ui/index.ts'
import { signInErrorText } from './password-step.tsx'

interface FactorStepProps {
  /** Null when it is in a cookie, after a provider's redirect. */
  readonly challenge: string | null
  readonly onAnswer: (answer: ResponseOf<'POST /v1/session'>) => Promise<void> | void
  readonly onStartOver: () => void
}

export function FactorStep({ challenge, onAnswer, onStartOver }: FactorStepProps) {
  const { t } = useTranslation()
  const [value, setValue] = useState('')
  const [recovery, setRecovery] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const verify = async (typed: string) => {
    setBusy(true)
    setError(null)
    try {
      const proof = recovery ? { recoveryCode: typed.trim() } : { code: typed }
      await onAnswer(
        await call('POST /v1/session', { body: { ...proof, ...(challenge === null ? {} : { challenge }) } }),
      )
    } catch (failure) {
      setError(failure)
      setValue('')
    } finally {
      setBusy(false)
    }
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void verify(value)
  }
  const isOver = error instanceof Problem && error.reason === 'sign_in_over'
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {isOver && (
          <Alert color="red" role="alert">
            {signInErrorText(t, error)}
          </Alert>
        )}
        <CodeField
          recovery={recovery}
          onRecovery={(next) => {
            setRecovery(next)
            setValue('')
            setError(null)
          }}
          value={value}
          onChange={setValue}
          error={error === null || isOver ? null : signInErrorText(t, error)}
          onComplete={(code) => void verify(code)}
        />
        <Button type="submit" size="md" loading={busy} disabled={value === '' || isOver} fullWidth>
          {t('signIn.verify')}
        </Button>
        <PasskeyButton
          onError={setError}
          onProof={async (passkey) =>
            // Empty: the one in the cookie.
            onAnswer(await call('POST /v1/session', { body: { challenge: challenge ?? '', passkey } }))
          }
        />
        <Anchor component="button" type="button" size="sm" ta="center" onClick={onStartOver}>
          {t('signIn.startOver')}
        </Anchor>
      </Stack>
    </form>
  )
}
