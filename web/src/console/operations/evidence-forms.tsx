import { MAX_EVIDENCE_LINK_DAYS } from '@akashi/contract'
import { Alert, Button, Group, MultiSelect, NumberInput, Stack, Text, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { call, useMay } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { showProblem } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { CopyText } from '../parts/copy-text.tsx'
import { ReasonForm } from '../parts/reason-form.tsx'
import { monthOf } from './months.ts'

interface DoneProps {
  readonly onDone: () => void
}

const DEFAULT_DAYS = 7
const MS_PER_DAY = 86_400_000
const DATE_CHARACTERS = 'yyyy-mm-dd'.length

/** Logs by the permission that reading each needs. */
const logs = [
  { log: 'audit_logs', permission: 'audit_logs:read' },
  { log: 'security_events', permission: 'events:read' },
  { log: 'login_attempts', permission: 'audit_logs:read' },
] as const
type Log = (typeof logs)[number]['log']

function daysAgo(days: number): string {
  return new Date(Date.now() - days * MS_PER_DAY).toISOString().slice(0, DATE_CHARACTERS)
}

/** Asks for what a link shows, and shows the link once. */
export function ShareEvidence({ onDone }: DoneProps) {
  const t = useTexts()
  const may = useMay()
  const queries = useQueryClient()
  const [chosen, setChosen] = useState<Log[]>(['audit_logs'])
  const [from, setFrom] = useState(daysAgo(30))
  const [until, setUntil] = useState(daysAgo(0))
  const [reports, setReports] = useState<string[]>([])
  const [days, setDays] = useState<number | string>(DEFAULT_DAYS)
  const known = useQuery({
    queryKey: ['console', 'reports'],
    queryFn: ({ signal }) => call('GET /v1/reports', { signal }),
    enabled: may('reports:read'),
  })
  const share = useMutation({
    mutationFn: (reason: string) =>
      call('POST /v1/evidence/links', {
        body: {
          logs: chosen,
          from: `${from}T00:00:00Z`,
          // The whole of the last day.
          to: new Date(Date.parse(`${until}T00:00:00Z`) + MS_PER_DAY).toISOString(),
          reports,
          days: Number(days),
          reason,
        },
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['console', 'evidence-links'] }),
    onError: showProblem,
  })
  if (share.data !== undefined) return <SharedLink {...share.data} onDone={onDone} />
  const isComplete = chosen.length > 0 && from !== '' && until !== '' && from <= until && Number(days) >= 1
  return (
    <ReasonForm
      action={t('evidence.share')}
      isPending={share.isPending}
      isComplete={isComplete}
      onSubmit={share.mutate}
      onCancel={onDone}
    >
      <Text size="sm">{t('evidence.shareDetail')}</Text>
      <MultiSelect
        label={t('evidence.logs')}
        data={logs.filter(({ permission }) => may(permission)).map(({ log }) => log)}
        value={chosen}
        onChange={(values) => setChosen(logs.map(({ log }) => log).filter((log) => values.includes(log)))}
      />
      <Group grow>
        <TextInput
          type="date"
          label={t('evidence.from')}
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          type="date"
          label={t('evidence.to')}
          value={until}
          onChange={(event) => setUntil(event.currentTarget.value)}
        />
      </Group>
      <MultiSelect
        label={t('reports.title')}
        data={(known.data?.reports ?? []).map(({ id, month, createdAt }) => ({
          value: id,
          label: `${monthOf(month)} (${moment(createdAt)})`,
        }))}
        value={reports}
        onChange={setReports}
      />
      <NumberInput
        label={t('evidence.days')}
        min={1}
        max={MAX_EVIDENCE_LINK_DAYS}
        allowDecimal={false}
        value={days}
        onChange={setDays}
      />
    </ReasonForm>
  )
}

interface SharedLinkProps extends DoneProps {
  readonly path: string
  readonly expiresAt: string
}

function SharedLink({ path, expiresAt, onDone }: SharedLinkProps) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  return (
    <Stack>
      <Alert>{t('evidence.once', { until: moment(expiresAt) })}</Alert>
      <CopyText text={new URL(path, window.location.origin).href} />
      <Group justify="flex-end">
        <Button onClick={onDone}>{shell('common.close')}</Button>
      </Group>
    </Stack>
  )
}

/** Ends a link at once. */
export function RevokeLink({ id, onDone }: DoneProps & { readonly id: string }) {
  const t = useTexts()
  const queries = useQueryClient()
  const revoke = useMutation({
    mutationFn: (reason: string) =>
      call('POST /v1/evidence/links/{id}/revoke', { params: { id }, body: { reason } }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ['console', 'evidence-links'] })
      onDone()
    },
    onError: showProblem,
  })
  return (
    <ReasonForm
      action={t('evidence.revoke')}
      isPending={revoke.isPending}
      onSubmit={revoke.mutate}
      onCancel={onDone}
    >
      <Text size="sm">{t('evidence.revokeDetail')}</Text>
    </ReasonForm>
  )
}
