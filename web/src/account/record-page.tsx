import {
  Alert,
  Button,
  Group,
  SegmentedControl,
  Select,
  Text,
  TextInput,
  UnstyledButton,
} from '@mantine/core'
import { IconChevronRight } from '@tabler/icons-react'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useId, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { call, useSession } from '../api/index.ts'
import { currentLanguage } from '../i18n/index.ts'
import { useTexts } from './locales/index.ts'
import { RecordExport } from './record-export.tsx'
import { type About, aboutTables, pageOf, type RecordFilter, thingOf } from './record-filter.ts'
import classes from './record-page.module.css'
import { Heading, RowsSkeleton, Section, SectionBody } from './section.tsx'
import { sentenceOf, type Telling } from './sentences.ts'
import { groupRows, type RowGroup, type TrailRow } from './trail-row.ts'
import { fieldName, valueText } from './values.ts'
import { VerifyEntry } from './verify-entry.tsx'

/** What the audit trail has about the person: what they did, and what others did to them. */
export function RecordPage() {
  const t = useTexts()
  const [search, setSearch] = useSearchParams()
  const filter = filterOf(search)
  const telling = useTelling()
  const record = useInfiniteQuery({
    queryKey: ['me', 'audit', filter],
    queryFn: ({ pageParam, signal }) => pageOf(filter, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    refetchOnMount: 'always',
  })
  const rows = record.data?.pages.flatMap((page) => page.rows)
  const change = (changes: Partial<Record<keyof RecordFilter, string | null>>) =>
    setSearch(
      (previous) => {
        const next = new URLSearchParams(previous)
        for (const [name, value] of Object.entries(changes)) {
          if (value === null || value === '') next.delete(name)
          else next.set(name, value)
        }
        return next
      },
      { replace: true },
    )
  const zone = new Intl.DateTimeFormat(currentLanguage(), { timeZoneName: 'long' })
    .formatToParts(new Date())
    .find(({ type }) => type === 'timeZoneName')?.value
  return (
    <>
      <Heading title={t('title')} lead={t('lead')} />
      <search className={classes['filters']} aria-label={t('filter')}>
        <SegmentedControl
          aria-label={t('by.label')}
          value={filter.by}
          onChange={(by) => change({ by: by === 'me' ? null : by })}
          data={(['me', 'others'] as const).map((value) => ({ value, label: t(`by.${value}`) }))}
        />
        <AboutSelect value={filter.about} onChange={(about) => change({ about })} />
        <TextInput
          type="date"
          aria-label={t('from')}
          title={t('from')}
          value={filter.from ?? ''}
          max={filter.to ?? undefined}
          onChange={(event) => change({ from: event.currentTarget.value })}
        />
        <span aria-hidden>–</span>
        <TextInput
          type="date"
          aria-label={t('to')}
          title={t('to')}
          value={filter.to ?? ''}
          min={filter.from ?? undefined}
          onChange={(event) => change({ to: event.currentTarget.value })}
        />
      </search>
      <div className={classes['note']}>
        <Text size="sm" c="dimmed">
          {filter.by === 'others' && `${t('othersLead')} `}
          {t('zone', { zone })}
        </Text>
        <RecordExport filter={filter} telling={telling} />
      </div>
      {record.isError ? (
        <Alert color="red" role="alert">
          <Group justify="space-between">
            {t('failed')}
            <Button size="xs" variant="default" onClick={() => void record.refetch()}>
              {t('again')}
            </Button>
          </Group>
        </Alert>
      ) : rows === undefined ? (
        <Section>
          <RowsSkeleton rows={8} />
        </Section>
      ) : rows.length === 0 ? (
        <Section>
          <SectionBody>
            <Group justify="space-between">
              <Text c="dimmed">{t('nothing')}</Text>
              {search.size > 0 && (
                <Button variant="default" size="xs" onClick={() => setSearch({}, { replace: true })}>
                  {t('clear')}
                </Button>
              )}
            </Group>
          </SectionBody>
        </Section>
      ) : (
        daysOf(groupRows(rows)).map(({ day, groups }) => (
          <section key={day} aria-label={dayName(t, day)}>
            <h2 className={classes['day']}>{dayName(t, day)}</h2>
            <Section>
              <ul className={classes['entries']}>
                {groups.map((group) => (
                  <Entry key={group[0].id} rows={group} telling={telling} by={filter.by} />
                ))}
              </ul>
            </Section>
          </section>
        ))
      )}
      {record.hasNextPage && (
        <Button
          variant="default"
          loading={record.isFetchingNextPage}
          onClick={() => void record.fetchNextPage()}
        >
          {t('more')}
        </Button>
      )}
    </>
  )
}

function filterOf(search: URLSearchParams): RecordFilter {
  const date = (name: string) => {
    const value = search.get(name) ?? ''
    return /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)) ? value : null
  }
  return {
    by: search.get('by') === 'others' ? 'others' : 'me',
    about: aboutTables.find((each) => each === search.get('about')) ?? null,
    from: date('from'),
    to: date('to'),
  }
}

function useTelling(): Telling {
  const t = useTexts()
  const { t: shell } = useTranslation()
  const { userId } = useSession()
  const { data } = useQuery({
    queryKey: ['me', 'rooms'],
    queryFn: ({ signal }) => call('GET /v1/chat/rooms', { signal }),
  })
  return useMemo(
    () => ({
      t,
      shell,
      userId,
      rooms: new Map(
        data?.rooms.map(({ id, name, type }) => [id, type === 'direct' || type === 'group' ? null : name]) ??
          [],
      ),
    }),
    [t, shell, userId, data],
  )
}

interface AboutSelectProps {
  readonly value: About | null
  readonly onChange: (about: About | null) => void
}

function AboutSelect({ value, onChange }: AboutSelectProps) {
  const t = useTexts()
  const { t: shell } = useTranslation()
  return (
    <Select
      aria-label={t('kind')}
      placeholder={t('anything')}
      clearable
      className={classes['about'] ?? ''}
      clearButtonProps={{ 'aria-label': t('clear') }}
      value={value}
      data={aboutTables.map((about) => ({ value: about, label: shell(`activity.things.${thingOf(about)}`) }))}
      onChange={(next) => onChange(aboutTables.find((each) => each === next) ?? null)}
    />
  )
}

interface Day {
  /** In the reader's zone: 2026-11-30. */
  readonly day: string
  readonly groups: readonly RowGroup[]
}

function daysOf(groups: readonly RowGroup[]): readonly Day[] {
  const days: { day: string; groups: RowGroup[] }[] = []
  for (const group of groups) {
    const day = dayOf(new Date(group[0].createdAt))
    const last = days.at(-1)
    if (last?.day === day) last.groups.push(group)
    else days.push({ day, groups: [group] })
  }
  return days
}

function dayOf(time: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`
}

function dayName(t: ReturnType<typeof useTexts>, day: string): string {
  const now = new Date()
  if (day === dayOf(now)) return t('today')
  if (day === dayOf(new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1))) return t('yesterday')
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'full' }).format(new Date(`${day}T00:00`))
}

function timeOf(time: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), { timeStyle: 'short' }).format(new Date(time))
}

interface EntryProps {
  readonly rows: RowGroup
  readonly telling: Telling
  readonly by: RecordFilter['by']
}

function Entry({ rows, telling, by }: EntryProps) {
  const { t } = telling
  const [open, setOpen] = useState(false)
  const detail = useId()
  const [row] = rows
  const what = sentenceOf(telling, row, by)
  return (
    <li className={classes['entry']}>
      <UnstyledButton
        className={classes['summary'] ?? ''}
        aria-expanded={open}
        aria-controls={detail}
        onClick={() => setOpen(!open)}
      >
        <IconChevronRight size={16} aria-hidden className={classes['chevron'] ?? ''} />
        <span className={classes['what']}>
          {rows.length > 1 ? t('several', { what, times: rows.length }) : what}
        </span>
        <time dateTime={row.createdAt} className={classes['when']}>
          {timeOf(row.createdAt)}
        </time>
      </UnstyledButton>
      <div id={detail} hidden={!open}>
        {open && rows.map((each) => <Detail key={each.id} row={each} telling={telling} by={by} />)}
      </div>
    </li>
  )
}

interface DetailProps {
  readonly row: TrailRow
  readonly telling: Telling
  readonly by: RecordFilter['by']
}

function Detail({ row, telling, by }: DetailProps) {
  const { t, rooms } = telling
  const { t: shell } = useTranslation()
  const isUpdate = row.operation === 'UPDATE'
  const text = (value: unknown) => valueText(t, value, rooms)
  const fields = shownFields(row)
  return (
    <div className={classes['detail']}>
      {by === 'me' && <VerifyEntry id={row.id} />}
      {fields.length > 0 && (
        <table className={classes['changes']}>
          <thead>
            <tr>
              <th scope="col">{shell('activity.field')}</th>
              {isUpdate && <th scope="col">{shell('activity.before')}</th>}
              <th scope="col">{isUpdate ? shell('activity.after') : t('recorded')}</th>
            </tr>
          </thead>
          <tbody>
            {fields.map((field) => (
              <tr key={field}>
                <th scope="row">{fieldName(t, field)}</th>
                {isUpdate && <td>{text(row.before[field])}</td>}
                <td>{text(row.operation === 'DELETE' ? row.before[field] : row.after[field])}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <dl className={classes['facts']}>
        {row.table !== null && <Fact term={shell('activity.table')} value={`${row.schema}.${row.table}`} />}
        {row.ipAddress !== null && <Fact term={shell('activity.ipAddress')} value={row.ipAddress} />}
        {row.requestId !== null && <Fact term={shell('activity.request')} value={row.requestId} />}
        <Fact term={shell('activity.id')} value={row.id} />
      </dl>
    </div>
  )
}

/** Columns that say nothing to their person: numbers of rows, and who and when, which the entry says itself. */
const technical = new Set([
  'id',
  'user_id',
  'created_at',
  'created_by',
  'client_id',
  'sequence',
  'content_encrypted',
])

/** Of a change each column; of a whole row those that hold something. */
function shownFields({ operation, fields, before, after }: TrailRow): readonly string[] {
  if (operation === 'UPDATE') return fields
  const isEmpty = (value: unknown) =>
    value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
  return fields.filter((field) => !technical.has(field) && !isEmpty(after[field] ?? before[field]))
}

function Fact({ term, value }: { readonly term: string; readonly value: string }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{value}</dd>
    </div>
  )
}
