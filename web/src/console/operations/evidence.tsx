import type { EvidenceLink } from '@akashi/contract'
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call, useMay } from '../../api/index.ts'
import { moment } from '../../i18n/when.ts'
import { Dialog } from '../../ui/index.ts'
import { useTexts } from '../locales/index.ts'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Choice, FilterBar } from '../parts/filter-bar.tsx'
import { useFilters } from '../parts/filters.ts'
import { Panel } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Tag, type Tone } from '../parts/tag.tsx'
import { RevokeLink, ShareEvidence } from './evidence-forms.tsx'

const states = ['open', 'revoked', 'ended'] as const
type State = (typeof states)[number]
const tones: Readonly<Record<State, Tone>> = { open: 'good', revoked: 'bad', ended: 'plain' }

const stateOf = ({ open, revokedAt }: EvidenceLink): State =>
  open ? 'open' : revokedAt === null ? 'ended' : 'revoked'

/** Links by which somebody without an account reads logs and reports. */
export function Evidence() {
  const t = useTexts()
  const may = useMay()
  const [{ state }, change] = useFilters(['state'])
  const [asked, setAsked] = useState<'share' | { readonly revoke: string } | null>(null)
  const links = useQuery({
    queryKey: ['console', 'evidence-links'],
    queryFn: ({ signal }) => call('GET /v1/evidence/links', { signal }),
  })
  const rows = (links.data?.links ?? []).filter((link) => state === '' || stateOf(link) === state)
  const mayShare = may('evidence:write')
  const close = () => setAsked(null)
  const columns: readonly Column<EvidenceLink>[] = [
    {
      id: 'reason',
      title: t('evidence.for'),
      width: 'minmax(12rem, 2fr)',
      cell: ({ reason }) => <span title={reason}>{reason}</span>,
    },
    {
      id: 'state',
      title: t('evidence.state'),
      width: '7rem',
      cell: (link) => <Tag tone={tones[stateOf(link)]}>{t(`evidence.states.${stateOf(link)}`)}</Tag>,
    },
    {
      id: 'logs',
      title: t('evidence.shows'),
      width: 'minmax(10rem, 1fr)',
      cell: ({ logs, reports }) =>
        [...logs, ...(reports.length === 0 ? [] : [t('evidence.reports', { count: reports.length })])].join(
          ', ',
        ),
    },
    { id: 'until', title: t('evidence.until'), width: '11rem', cell: ({ expiresAt }) => moment(expiresAt) },
    { id: 'opened', title: t('evidence.opened'), width: '6rem', end: true, cell: ({ opened }) => opened },
    {
      id: 'revoke',
      title: '',
      width: '7rem',
      end: true,
      cell: ({ id, open }) =>
        mayShare && open ? (
          <Button size="compact-xs" variant="default" onClick={() => setAsked({ revoke: id })}>
            {t('evidence.revoke')}
          </Button>
        ) : null,
    },
  ]
  return (
    <>
      <FilterBar onClear={state === '' ? undefined : () => change({ state: '' })}>
        <Choice
          label={t('evidence.state')}
          value={state}
          options={states.map((value) => ({ value, label: t(`evidence.states.${value}`) }))}
          onChange={(value) => change({ state: value })}
        />
      </FilterBar>
      <Panel
        title={t('evidence.title')}
        lead={t('evidence.lead')}
        flush
        actions={
          <>
            {mayShare && (
              <Button size="xs" onClick={() => setAsked('share')}>
                {t('evidence.share')}
              </Button>
            )}
            <ExportMenu name="evidence-links" rows={rows} columns={exported} />
            <ShowCommand cli="akashi evidence links" request="GET /v1/evidence/links" />
          </>
        }
      >
        <Loaded query={links}>
          {() =>
            rows.length === 0 ? (
              <Empty title={t('evidence.none')} detail={t('evidence.noneDetail')} />
            ) : (
              <DataTable
                label={t('evidence.title')}
                minWidth="56rem"
                columns={columns}
                rows={rows}
                rowKey={({ id }) => id}
              />
            )
          }
        </Loaded>
      </Panel>
      <Dialog opened={asked === 'share'} onClose={close} title={t('evidence.share')}>
        <ShareEvidence onDone={close} />
      </Dialog>
      <Dialog opened={asked !== null && asked !== 'share'} onClose={close} title={t('evidence.revokeTitle')}>
        {asked !== null && asked !== 'share' && <RevokeLink id={asked.revoke} onDone={close} />}
      </Dialog>
    </>
  )
}

const exported = [
  ...(
    [
      'id',
      'reason',
      'logs',
      'from',
      'to',
      'reports',
      'createdAt',
      'createdBy',
      'expiresAt',
      'revokedAt',
      'revokedBy',
      'opened',
      'lastOpenedAt',
    ] as const
  ).map((name) => ({ name, value: (link: EvidenceLink) => link[name] })),
]
