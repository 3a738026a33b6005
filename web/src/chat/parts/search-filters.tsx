import { Select, Switch, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useChat, useObserved } from '../client/context.tsx'
import { peopleQuery } from '../client/queries.ts'
import { roomName } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { byNewest } from '../model/rooms.ts'
import classes from './pages.module.css'

/** The filters of a search, as in the address. Days are in the reader's time zone, both included. */
export interface Filters {
  readonly room: string | null
  readonly sender: string | null
  readonly since: string | null
  readonly until: string | null
  readonly files: boolean
}

export type FilterName = keyof Filters

/** Milliseconds without typing before people are searched. */
const TYPING_MS = 200

export function filtersOf(search: URLSearchParams): Filters {
  return {
    room: search.get('room'),
    sender: search.get('sender'),
    since: day(search.get('since')),
    until: day(search.get('until')),
    files: search.get('files') === 'true',
  }
}

/** The filters as the server's query. */
export function queryOf({ room, sender, since, until, files }: Filters) {
  return {
    ...(room === null ? {} : { roomId: room }),
    ...(sender === null ? {} : { senderId: sender }),
    ...(since === null ? {} : { from: midnight(since, 0) }),
    ...(until === null ? {} : { to: midnight(until, 1) }),
    ...(files ? { hasFile: 'true' } : {}),
  }
}

interface SearchFiltersProps {
  readonly filters: Filters
  readonly onChange: (name: FilterName, value: string | null) => void
}

export function SearchFilters({ filters, onChange }: SearchFiltersProps) {
  const t = useTexts()
  const rooms = useObserved(useChat().rooms)
  return (
    <div className={classes['filters']}>
      <Select
        label={t('searchPage.room')}
        size="xs"
        searchable
        clearable
        placeholder={t('searchPage.everywhere')}
        value={filters.room}
        data={byNewest(rooms?.values() ?? []).map((room) => ({ value: room.id, label: roomName(t, room) }))}
        onChange={(value) => onChange('room', value)}
      />
      <Sender value={filters.sender} onChange={(value) => onChange('sender', value)} />
      {(['since', 'until'] as const).map((name) => (
        <TextInput
          key={name}
          type="date"
          label={t(`searchPage.${name}`)}
          size="xs"
          value={filters[name] ?? ''}
          onChange={(event) => onChange(name, event.currentTarget.value)}
        />
      ))}
      <Switch
        className={classes['only'] ?? ''}
        size="xs"
        label={t('searchPage.onlyFiles')}
        checked={filters.files}
        onChange={(event) => onChange('files', event.currentTarget.checked ? 'true' : null)}
      />
    </div>
  )
}

interface SenderProps {
  readonly value: string | null
  readonly onChange: (userId: string | null) => void
}

function Sender({ value, onChange }: SenderProps) {
  const t = useTexts()
  const known = useObserved(useChat().people)
  const [words, setWords] = useState('')
  const [q] = useDebouncedValue(words.trim(), TYPING_MS)
  const { data: people = [] } = useQuery({ ...peopleQuery(q), placeholderData: keepPreviousData })
  const chosen = value === null ? undefined : known.get(value)
  const choices = new Map([...people, ...(chosen === undefined ? [] : [chosen])].map((one) => [one.id, one]))
  return (
    <Select
      label={t('searchPage.sender')}
      size="xs"
      searchable
      clearable
      placeholder={t('searchPage.anybody')}
      nothingFoundMessage={t('people.none')}
      value={value}
      data={[...choices.values()].map(({ id, displayName }) => ({ value: id, label: displayName }))}
      // The server has filtered them already, also by user name.
      filter={({ options }) => options}
      onSearchChange={setWords}
      onChange={onChange}
    />
  )
}

function day(text: string | null): string | null {
  return text !== null && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : null
}

function midnight(text: string, daysLater: number): string {
  const [year = 0, month = 1, date = 1] = text.split('-').map(Number)
  return new Date(year, month - 1, date + daysLater).toISOString()
}
