import type { ResponseOf } from '@akashi/contract'
import { Alert, Button, Divider, Stack, Text, Title } from '@mantine/core'
import { IconInfoCircle } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import type { TFunction } from 'i18next'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Navigate, useSearchParams } from 'react-router'
import { call, hasPasskeys, Problem, refreshSession, useSessionState } from '../api/index.ts'
import { usePageTitle } from '../shell/index.ts'
import { Logo, PasskeyButton } from '../ui/index.ts'
import { Card } from './card.tsx'
import { FactorStep } from './factor-step.tsx'
import { PasswordStep, signInErrorText } from './password-step.tsx'

/** The step in a provider's redirect when a second factor is needed; its challenge is in a cookie. */
const FACTOR_STEP = 'second_factor'

export function SignIn() {
  const { t } = useTranslation()
  const [search] = useSearchParams()
  const step = search.get('step')
  const next = localPath(search.get('next'))
  const [challenge, setChallenge] = useState<string | null | undefined>(
    step === FACTOR_STEP ? null : undefined,
  )
  const [passkeyError, setPasskeyError] = useState<unknown>(null)
  const { data: methods } = useQuery({
    queryKey: ['sign-in-methods'],
    queryFn: ({ signal }) => call('GET /v1/oidc', { signal }),
  })
  usePageTitle(t('signIn.title'))
  const go = async (answer: ResponseOf<'POST /v1/session'>) => {
    if (answer.step === 'second_factor') return setChallenge(answer.challenge)
    await refreshSession()
  }
  const { data: session } = useSessionState()
  if (session) return <Navigate replace to={next} />
  if (challenge !== undefined) {
    return (
      <Card>
        <Heading title={t('signIn.codeTitle')} />
        <FactorStep challenge={challenge} onAnswer={go} onStartOver={() => setChallenge(undefined)} />
      </Card>
    )
  }
  const providers = methods?.providers ?? []
  return (
    <Card footer={<Text c="dimmed">{t('brand.tagline')}</Text>}>
      <Heading title={t('signIn.title')} />
      <Notice search={search} />
      {methods !== undefined && (
        <Stack gap="md">
          {methods.password ? (
            <PasswordStep onAnswer={go} />
          ) : (
            <Text size="sm" c="dimmed">
              {t('signIn.providersOnly')}
            </Text>
          )}
          {methods.password && (providers.length > 0 || hasPasskeys()) && <Divider label={t('signIn.or')} />}
          {passkeyError !== null && (
            <Alert color="red" role="alert">
              {passkeyErrorText(t, passkeyError)}
            </Alert>
          )}
          {methods.password && (
            <PasskeyButton
              onError={setPasskeyError}
              onProof={async (passkey) => go(await call('POST /v1/session', { body: { passkey } }))}
            />
          )}
          {providers.map(({ name, label, start }) => (
            <Button
              key={name}
              component="a"
              href={`${start}?returnTo=${encodeURIComponent(next)}`}
              variant="default"
              size="md"
              fullWidth
            >
              {t('signIn.provider', { name: label })}
            </Button>
          ))}
          {methods.password && (
            <Text size="xs" c="dimmed">
              {t('signIn.help')}
            </Text>
          )}
        </Stack>
      )}
    </Card>
  )
}

function Heading({ title }: { readonly title: string }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    // Tells screen readers that the step has changed, unless a field already has the focus.
    if (document.activeElement === document.body) heading.current?.focus()
  }, [])
  return (
    <Stack gap="sm" align="start">
      <Logo size={44} />
      <Title order={1} size="h2" ref={heading} tabIndex={-1}>
        {title}
      </Title>
    </Stack>
  )
}

/** Explains why the user has to sign in again, or why signing in with a provider failed. */
function Notice({ search }: { readonly search: URLSearchParams }) {
  const { t } = useTranslation()
  const step = search.get('step')
  if (step !== null && step !== FACTOR_STEP) {
    return (
      <Alert color="red" role="alert" icon={<IconInfoCircle />}>
        {step === 'forbidden' ? t('signIn.inactive') : t('signIn.providerFailed')}
      </Alert>
    )
  }
  if (search.has('signed-out')) return <Alert icon={<IconInfoCircle />}>{t('signIn.signedOut')}</Alert>
  if (search.has('ended')) return <Alert icon={<IconInfoCircle />}>{t('signIn.ended')}</Alert>
  return null
}

function passkeyErrorText(t: TFunction, error: unknown): string {
  return error instanceof Problem && error.status === 401 ? t('passkey.refused') : signInErrorText(t, error)
}

/** The path to return to; `//host` and `/\host` would lead to another server. */
function localPath(path: string | null): string {
  return path !== null && /^\/(?![/\\])/.test(path) && !path.startsWith('/sign-in') ? path : '/chat'
}
