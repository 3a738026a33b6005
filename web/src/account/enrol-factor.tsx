import { Alert, Button, Group, Loader, Stack, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { QRCodeSVG } from 'qrcode.react'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, Problem } from '../api/index.ts'
import { DigitsField, problemText } from '../ui/index.ts'
import classes from './enrol-factor.module.css'
import { RecoveryCodes } from './recovery-codes.tsx'

const QR_PIXELS = 176
/** The key is shown in groups of so many characters, which are easier to type. */
const GROUP_CHARACTERS = 4

interface EnrolFactorProps {
  readonly label?: string | null
  readonly onDone: () => void
}

/** Adds an authenticator app: scan, confirm with a first code, save the recovery codes. */
export function EnrolFactor({ label = null, onDone }: EnrolFactorProps) {
  const { t } = useTranslation()
  const { data: enrolment, error: refused, refetch } = useEnrolment(label)
  const [code, setCode] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const [codes, setCodes] = useState<readonly string[] | null>(null)
  if (codes !== null) return <RecoveryCodes codes={codes} onDone={onDone} />
  if (refused !== null) {
    return (
      <Alert color="red" role="alert">
        <Stack align="start" gap="xs">
          {problemText(t, refused)}
          <Button size="xs" variant="default" onClick={() => void refetch()}>
            {t('common.retry')}
          </Button>
        </Stack>
      </Alert>
    )
  }
  const confirm = async (typed: string) => {
    if (enrolment === undefined) return
    setBusy(true)
    setError(null)
    try {
      const { recoveryCodes } = await call('POST /v1/me/mfa/{id}/confirm', {
        params: { id: enrolment.id },
        body: { code: typed },
      })
      setCodes(recoveryCodes)
    } catch (failure) {
      setError(failure)
      setCode('')
    } finally {
      setBusy(false)
    }
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void confirm(code)
  }
  const wrong = error instanceof Problem && error.code === 'invalid_input'
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <div>
          <Text fw={600}>{t('factor.scan')}</Text>
          <Text size="sm" c="dimmed">
            {t('factor.scanDetail')}
          </Text>
        </div>
        <div className={classes['qr']}>
          {enrolment === undefined ? (
            <Loader role="status" aria-label={t('common.loading')} />
          ) : (
            <QRCodeSVG value={enrolment.uri} size={QR_PIXELS} role="img" title={t('factor.qr')} />
          )}
        </div>
        <div>
          <Text size="sm" c="dimmed">
            {t('factor.cannotScan')}
          </Text>
          <output className={classes['secret']} aria-label={t('factor.secret')}>
            {grouped(enrolment?.secret ?? '')}
          </output>
        </div>
        <DigitsField
          label={t('factor.confirm')}
          value={code}
          onChange={setCode}
          onComplete={(typed) => void confirm(typed)}
          error={error === null ? null : wrong ? t('errors.wrong_code') : problemText(t, error)}
        />
        <Group grow>
          <Button type="submit" size="md" loading={busy} disabled={code.length < 6}>
            {t('signIn.verify')}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

/** Starts one enrolment while the component is mounted; unless it is confirmed, it has no effect. */
function useEnrolment(label: string | null) {
  return useQuery({
    queryKey: ['me', 'mfa', 'enrolment'],
    queryFn: () => call('POST /v1/me/mfa', { body: { label } }),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
}

function grouped(secret: string): string {
  return secret.match(new RegExp(`.{1,${GROUP_CHARACTERS}}`, 'g'))?.join(' ') ?? ''
}
