import type { EvidenceScope } from '@akashi/contract'
import { Alert, Button, Group, Stack, Text } from '@mantine/core'
import { IconInfoCircle } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { addressOf, call, Problem } from '../api/index.ts'
import { Panel, Screen } from '../console/parts/screen.tsx'
import { moment } from '../i18n/when.ts'
import '../theme/tones.css'
import { showProblem } from '../ui/index.ts'
import { Logs } from './logs.tsx'
import classes from './room.module.css'
import { useTexts } from './texts.ts'

/** The token of the link that was opened; taken out of the address, so that it is neither copied nor kept with it. */
function takeToken(): string | null {
  const token = window.location.hash.slice(1)
  if (token === '') return null
  window.history.replaceState(window.history.state, '', window.location.pathname)
  return token
}

const tokenOfLink = takeToken()

/** What somebody without an account sees who was sent an evidence link. */
export function EvidenceRoom() {
  return (
    <div className={classes['room']}>
      <Opened />
    </div>
  )
}

function Opened() {
  const t = useTexts()
  const [hasLeft, setLeft] = useState(false)
  const scope = useQuery({
    queryKey: ['evidence-room'],
    queryFn: async ({ signal }) => {
      if (tokenOfLink !== null)
        await call('POST /v1/evidence-room/session', { body: { token: tokenOfLink }, signal })
      return await call('GET /v1/evidence-room', { signal })
    },
    retry: false,
    // Each look is recorded.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
  if (hasLeft) return <Notice title={t('left')} detail={t('leftDetail')} />
  if (scope.data !== undefined) {
    const leave = () => call('DELETE /v1/evidence-room/session').then(() => setLeft(true), showProblem)
    return <Room scope={scope.data} onLeave={() => void leave()} />
  }
  if (scope.error === null) return <Text role="status">{t('opening')}</Text>
  const isRefused = scope.error instanceof Problem && [401, 404].includes(scope.error.status)
  return isRefused ? (
    <Notice title={t('invalid')} detail={t('invalidDetail')} />
  ) : (
    <Notice title={t('failed')} detail={scope.error.message} />
  )
}

function Notice({ title, detail }: { readonly title: string; readonly detail: string }) {
  return (
    <Screen title={title}>
      <Alert icon={<IconInfoCircle size={18} aria-hidden />} role="alert">
        {detail}
      </Alert>
    </Screen>
  )
}

interface RoomProps {
  readonly scope: EvidenceScope
  readonly onLeave: () => void
}

function Room({ scope, onLeave }: RoomProps) {
  const t = useTexts()
  return (
    <Screen
      title={t('title')}
      lead={t('lead', { until: moment(scope.expiresAt) })}
      actions={
        <Button variant="default" onClick={onLeave}>
          {t('leave')}
        </Button>
      }
    >
      <Logs scope={scope} />
      <Panel title={t('reports')}>
        {scope.reports.length === 0 ? (
          <Text c="dimmed">{t('noReports')}</Text>
        ) : (
          <Stack gap="sm">
            {scope.reports.map((report) => (
              <Group key={report.id} gap="sm">
                <b>{report.month}</b>
                {(['pdf', 'html'] as const).flatMap((format) =>
                  (['ja', 'en'] as const).map((lang) => (
                    <Button
                      key={`${format}-${lang}`}
                      component="a"
                      download
                      size="xs"
                      variant="default"
                      href={addressOf('/v1/evidence-room/reports/{id}/file', {
                        params: { id: report.id },
                        query: { format, lang },
                      })}
                    >
                      {`${format.toUpperCase()} ${lang === 'ja' ? '日本語' : 'English'}`}
                    </Button>
                  )),
                )}
              </Group>
            ))}
          </Stack>
        )}
      </Panel>
    </Screen>
  )
}
