import { Alert, Button, Group, Stack, VisuallyHidden } from '@mantine/core'
import type { TFunction } from 'i18next'
import { type FormEvent, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, Problem } from '../api/index.ts'
import { PasswordField, problemText } from '../ui/index.ts'

/** Only advice: the server enforces the policy and names the rules that are not met. */
const ADVISED_CHARACTERS = 12

interface PasswordFormProps {
  readonly username: string
  /** The current password is a one-time password. */
  readonly oneTime?: boolean
  readonly onDone: () => void
}

export function PasswordForm({ username, oneTime = false, onDone }: PasswordFormProps) {
  const { t } = useTranslation()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const [repeated, setRepeated] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const currentField = useRef<HTMLInputElement>(null)
  const nextField = useRef<HTMLInputElement>(null)
  const differs = repeated !== '' && !next.startsWith(repeated)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await call('PUT /v1/me/password', { body: { current, next } })
      setCurrent('')
      setNext('')
      setRepeated('')
      onDone()
    } catch (failure) {
      setError(failure)
      const field = isWrongCurrent(failure) ? currentField : nextField
      field.current?.focus()
    } finally {
      setBusy(false)
    }
  }
  const faults = faultTexts(t, error)
  const other = error === null || faults !== null || isWrongCurrent(error) ? null : problemText(t, error)
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="md">
        {other !== null && (
          <Alert color="red" role="alert">
            {other}
          </Alert>
        )}
        <VisuallyHidden>
          {/* Password managers save the new password under this name. */}
          <input
            type="text"
            name="username"
            autoComplete="username"
            value={username}
            readOnly
            tabIndex={-1}
            aria-hidden
          />
        </VisuallyHidden>
        <PasswordField
          ref={currentField}
          label={oneTime ? t('password.currentOneTime') : t('password.current')}
          autoComplete="current-password"
          value={current}
          onChange={(event) => setCurrent(event.currentTarget.value)}
          error={isWrongCurrent(error) && t('password.wrong')}
        />
        <PasswordField
          ref={nextField}
          label={t('password.next')}
          description={t('password.advice', { count: ADVISED_CHARACTERS })}
          autoComplete="new-password"
          value={next}
          onChange={(event) => setNext(event.currentTarget.value)}
          error={faults}
        />
        <PasswordField
          label={t('password.repeat')}
          autoComplete="new-password"
          value={repeated}
          onChange={(event) => setRepeated(event.currentTarget.value)}
          error={differs && t('password.differs')}
        />
        <Group justify="flex-end" grow={oneTime}>
          <Button
            type="submit"
            loading={busy}
            disabled={current === '' || next === '' || repeated !== next}
            size={oneTime ? 'md' : 'sm'}
          >
            {t('password.change')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function isWrongCurrent(error: unknown): boolean {
  return error instanceof Problem && error.status === 401
}

function faultTexts(t: TFunction, error: unknown): string | null {
  if (!(error instanceof Problem)) return null
  const faults = error.errors.flatMap(({ fault }) => (fault === undefined ? [] : [faultText(t, fault)]))
  return faults.length === 0 ? null : faults.join(' ')
}

function faultText(t: TFunction, fault: string): string {
  switch (fault) {
    case 'too_short':
    case 'too_long':
    case 'needs_letters_digits_and_signs':
    case 'contains_name':
    case 'breached':
    case 'used_before':
      return t(`password.faults.${fault}`)
    default:
      return t('errors.invalid_input')
  }
}
