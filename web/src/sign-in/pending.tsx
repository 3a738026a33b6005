import { Anchor, Stack, Text, Title } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { EnrolFactor } from '../account/enrol-factor.tsx'
import { PasswordForm } from '../account/password-form.tsx'
import { refreshSession, type Session, signOut } from '../api/index.ts'
import { usePageTitle } from '../shell/index.ts'
import { Logo, showProblem } from '../ui/index.ts'
import { Card } from './card.tsx'

interface PendingProps {
  readonly session: Session
}

/** The steps that complete an account before it can be used: a new password, a second factor. */
export function Pending({ session }: PendingProps) {
  const { t } = useTranslation()
  usePageTitle(t('pending.steps'))
  const isPassword = session.pending === 'password_change'
  return (
    <Card>
      <Stack gap="sm" align="start">
        <Logo size={44} />
        <div>
          <Text size="sm" c="dimmed">
            {t('pending.steps')}
          </Text>
          <Title order={1} size="h2" mt={2}>
            {isPassword ? t('pending.passwordTitle') : t('pending.factorTitle')}
          </Title>
        </div>
        <Text c="dimmed" size="sm">
          {isPassword ? t('pending.passwordDetail') : t('pending.factorDetail')}
        </Text>
      </Stack>
      {isPassword ? (
        <PasswordForm username={session.username} oneTime onDone={() => void refreshSession()} />
      ) : (
        <EnrolFactor onDone={() => void refreshSession()} />
      )}
      <Anchor
        component="button"
        type="button"
        size="sm"
        ta="center"
        onClick={() => void signOut().catch(showProblem)}
      >
        {t('nav.signOut')}
      </Anchor>
    </Card>
  )
}
