import { type ResponseOf, rotatablePurposes } from '@akashi/contract'
import { Alert, Button } from '@mantine/core'
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
import { Tag } from '../parts/tag.tsx'
import { RotateForm } from './rotate-form.tsx'
import { VerifierKeys } from './verifier-keys.tsx'

type Key = ResponseOf<'GET /v1/keys'>['keys'][number]
const states = ['active', 'retired'] as const

const keysQuery = {
  queryKey: ['console', 'keys'],
  queryFn: ({ signal }: { readonly signal: AbortSignal }) => call('GET /v1/keys', { signal }),
}

/** The keys of the service with their ages, what rotates them, and the public keys that verify it. */
export function Keys() {
  const may = useMay()
  return (
    <>
      {may('keys:read') && <Keyring />}
      {may('ledger:read') && <VerifierKeys />}
    </>
  )
}

function Keyring() {
  const t = useTexts()
  const may = useMay()
  const [filters, change] = useFilters(['purpose', 'state'])
  const [purpose, setPurpose] = useState<string | null>(null)
  const keys = useQuery(keysQuery)
  const all = keys.data?.keys ?? []
  const rows = all.filter(
    (key) =>
      (filters.purpose === '' || key.purpose === filters.purpose) &&
      (filters.state === '' || key.state === filters.state),
  )
  const isNarrowed = filters.purpose !== '' || filters.state !== ''
  const columns: readonly Column<Key>[] = [
    {
      id: 'purpose',
      title: t('keys.purpose'),
      width: 'minmax(12rem, 1.2fr)',
      cell: ({ purpose: name }) => <Purpose name={name} />,
    },
    {
      id: 'state',
      title: t('events.status'),
      width: '7rem',
      cell: ({ state }) => (
        <Tag tone={state === 'active' ? 'good' : 'plain'}>{t(`keys.states.${state}`)}</Tag>
      ),
    },
    { id: 'algorithm', title: t('keys.algorithm'), width: '7rem', cell: ({ algorithm }) => algorithm },
    {
      id: 'id',
      title: t('keys.id'),
      width: 'minmax(8rem, 1fr)',
      cell: ({ id }) => <code title={id}>{id}</code>,
    },
    {
      id: 'age',
      title: t('keys.age'),
      width: '10rem',
      cell: (key) => <Age age={key} />,
    },
    {
      id: 'created',
      title: t('access.created'),
      width: '11rem',
      end: true,
      cell: ({ createdAt }) => moment(createdAt),
    },
  ]
  const rotating = keys.data?.rotating ?? []
  return (
    <>
      <FilterBar onClear={isNarrowed ? () => change({ purpose: '', state: '' }) : undefined}>
        <Choice
          label={t('keys.purpose')}
          value={filters.purpose}
          options={[...new Set(all.map((key) => key.purpose))].map((value) => ({ value, label: value }))}
          onChange={(value) => change({ purpose: value })}
        />
        <Choice
          label={t('events.status')}
          value={filters.state}
          options={states.map((value) => ({ value, label: t(`keys.states.${value}`) }))}
          onChange={(state) => change({ state })}
        />
      </FilterBar>
      {rotating.map((name) => (
        <Alert key={name} color="orange" title={t('keys.rotating', { purpose: name })}>
          {t('keys.rotatingDetail')}{' '}
          {may('keys:admin') && (
            <Button size="compact-xs" variant="default" onClick={() => setPurpose(name)}>
              {t('keys.complete')}
            </Button>
          )}
        </Alert>
      ))}
      <Panel
        title={t('keys.keyring')}
        lead={
          keys.data === undefined
            ? t('keys.keyringLead')
            : t('keys.persons', { count: keys.data.persons.keys, destroyed: keys.data.persons.destroyed })
        }
        flush
        actions={
          <>
            {may('keys:admin') && (
              <Button size="xs" onClick={() => setPurpose('')}>
                {t('keys.rotate')}
              </Button>
            )}
            <ExportMenu name="keys" rows={rows} columns={exported} />
            <ShowCommand cli="akashi keys status" request="GET /v1/keys" />
          </>
        }
      >
        <Loaded query={keys} rows={6}>
          {() =>
            rows.length === 0 ? (
              <Empty title={t('keys.none')} />
            ) : (
              <DataTable
                label={t('keys.keyring')}
                minWidth="58rem"
                columns={columns}
                rows={rows}
                rowKey={({ id, purpose: name }) => `${name} ${id}`}
              />
            )
          }
        </Loaded>
      </Panel>
      <Dialog opened={purpose !== null} onClose={() => setPurpose(null)} title={t('keys.rotate')}>
        <RotateForm
          purpose={rotatablePurposes.find((each) => each === purpose)}
          onDone={() => setPurpose(null)}
        />
      </Dialog>
    </>
  )
}

/** What a key is for in the reader's words; its name where the page has none. */
function Purpose({ name }: { readonly name: string }) {
  const t = useTexts()
  const known = rotatablePurposes.find((each) => each === name)
  return <>{known === undefined ? name : t(`keys.purposes.${known}`)}</>
}

function Age({ age: { ageDays, limitDays, state } }: { readonly age: Key }) {
  const t = useTexts()
  const days = Math.floor(ageDays).toLocaleString()
  if (limitDays === null || state === 'retired') return <>{t('keys.days', { days })}</>
  return (
    <>
      {t('keys.daysOf', { days, limit: limitDays.toLocaleString() })}
      {ageDays > limitDays && (
        <>
          {' '}
          <Tag tone="warn">{t('keys.due')}</Tag>
        </>
      )}
    </>
  )
}

const exported = (['purpose', 'id', 'algorithm', 'state', 'createdAt', 'ageDays', 'limitDays'] as const).map(
  (name) => ({ name, value: (key: Key) => key[name] }),
)
