import { Anchor, Stack, TextInput } from '@mantine/core'
import { useTranslation } from 'react-i18next'

const CODE_DIGITS = 6

interface CodeFieldProps {
  readonly recovery: boolean
  readonly onRecovery: (recovery: boolean) => void
  readonly value: string
  readonly onChange: (value: string) => void
  readonly error: string | null
  /** Called when all six digits are entered. */
  readonly onComplete?: (code: string) => void
}

/** A code of the authenticator app, or a recovery code instead. */
export function CodeField({ recovery, onRecovery, value, onChange, error, onComplete }: CodeFieldProps) {
  const { t } = useTranslation()
  return (
    <Stack gap="xs">
      {recovery ? (
        <TextInput
          key="recovery"
          label={t('signIn.recovery')}
          description={t('signIn.recoveryDetail')}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          value={value}
          onChange={(event) => onChange(event.currentTarget.value)}
          error={error}
          data-autofocus
          autoFocus
        />
      ) : (
        <DigitsField
          label={t('signIn.code')}
          description={t('signIn.codeDetail')}
          value={value}
          onChange={onChange}
          error={error}
          autoFocus
          {...(onComplete === undefined ? {} : { onComplete })}
        />
      )}
      <Anchor component="button" type="button" size="sm" ta="start" onClick={() => onRecovery(!recovery)}>
        {recovery ? t('signIn.useCode') : t('signIn.useRecovery')}
      </Anchor>
    </Stack>
  )
}

interface DigitsFieldProps {
  readonly label: string
  readonly description?: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly error: string | null
  readonly onComplete?: (code: string) => void
  readonly autoFocus?: boolean
}

/** Six digits; accepts full-width digits and codes pasted with a space in the middle. */
export function DigitsField({
  label,
  description,
  value,
  onChange,
  error,
  onComplete,
  autoFocus = false,
}: DigitsFieldProps) {
  return (
    <TextInput
      label={label}
      {...(description === undefined ? {} : { description })}
      inputMode="numeric"
      autoComplete="one-time-code"
      size="md"
      styles={{ input: { letterSpacing: '0.35em', fontVariantNumeric: 'tabular-nums' } }}
      value={value}
      onChange={(event) => {
        const digits = event.currentTarget.value.normalize('NFKC').replaceAll(/\D/g, '').slice(0, CODE_DIGITS)
        onChange(digits)
        if (digits.length === CODE_DIGITS && digits !== value) onComplete?.(digits)
      }}
      error={error}
      {...(autoFocus ? { 'data-autofocus': true, autoFocus: true } : {})}
    />
  )
}
