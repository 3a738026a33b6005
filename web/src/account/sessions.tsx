import type { ResponseOf } from '@akashi/contract'
import { Badge, Button, Group, Text } from '@mantine/core'
import { IconDeviceDesktop, IconDeviceMobile } from '@tabler/icons-react'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call } from '../api/index.ts'
import { ago, moment } from '../i18n/when.ts'
import { ConfirmDialog, showMessage, showProblem } from '../ui/index.ts'
import { sessionsQuery } from './queries.ts'
import { Heading, Row, Rows, RowsSkeleton, Section } from './section.tsx'
import { deviceOf } from './user-agent.ts'

type OwnSession = ResponseOf<'GET /v1/me/sessions'>['sessions'][number]

export function SessionsPage() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { data } = useQuery({ ...sessionsQuery, refetchOnMount: 'always' })
  const [asking, setAsking] = useState(false)
  const sessions = data?.sessions.toSorted((a, b) => Number(b.current) - Number(a.current))
  const refresh = () => client.invalidateQueries({ queryKey: ['me', 'sessions'] })
  const revoke = async (id: string) => {
    try {
      await call('DELETE /v1/me/sessions/{id}', { params: { id } })
      showMessage(t('sessions.revoked'))
    } catch (error) {
      showProblem(error)
    }
    await refresh()
  }
  return (
    <>
      <Heading title={t('account.sessions')} lead={t('sessions.lead')} />
      <Section>
        {sessions === undefined ? (
          <RowsSkeleton rows={2} />
        ) : (
          <Rows>
            {sessions.map((session) => (
              <SessionRow key={session.id} session={session} onRevoke={() => revoke(session.id)} />
            ))}
          </Rows>
        )}
      </Section>
      {sessions?.length === 1 && <Text c="dimmed">{t('sessions.alone')}</Text>}
      {sessions !== undefined && sessions.length > 1 && (
        <Group>
          <Button variant="default" onClick={() => setAsking(true)}>
            {t('sessions.revokeOthers')}
          </Button>
        </Group>
      )}
      <ConfirmDialog
        opened={asking}
        title={t('sessions.othersTitle')}
        detail={t('sessions.othersDetail')}
        action={t('sessions.revokeOthers')}
        onClose={() => setAsking(false)}
        onConfirm={async () => {
          const { ended } = await call('DELETE /v1/me/sessions')
          showMessage(t('sessions.othersDone', { count: ended }))
          await refresh()
        }}
      />
    </>
  )
}

interface SessionRowProps {
  readonly session: OwnSession
  readonly onRevoke: () => Promise<void>
}

function SessionRow({ session, onRevoke }: SessionRowProps) {
  const { t } = useTranslation()
  const [busy, setBusy] = useState(false)
  const device = deviceOf(session.userAgent)
  const Icon = device?.mobile === true ? IconDeviceMobile : IconDeviceDesktop
  const name =
    device === null
      ? t('sessions.unknown')
      : t('sessions.on', { browser: device.browser, system: device.system })
  const revoke = async () => {
    setBusy(true)
    await onRevoke()
    setBusy(false)
  }
  return (
    <Row
      icon={<Icon size={24} stroke={1.6} aria-hidden />}
      action={
        session.current ? (
          <Badge variant="light" tt="none">
            {t('sessions.current')}
          </Badge>
        ) : (
          <Button
            variant="subtle"
            color="red"
            size="xs"
            loading={busy}
            aria-label={t('sessions.revokeLabel', { device: name })}
            onClick={() => void revoke()}
          >
            {t('sessions.revoke')}
          </Button>
        )
      }
    >
      <Text fw={550}>{name}</Text>
      <Text size="sm" c="dimmed">
        {[
          session.ipAddress,
          t('sessions.signedIn', { when: moment(session.createdAt) }),
          !session.current && t('sessions.active', { when: ago(session.lastActivity) }),
          session.secondFactor && t('sessions.twoSteps'),
        ]
          .filter(Boolean)
          .join(' · ')}
      </Text>
    </Row>
  )
}
