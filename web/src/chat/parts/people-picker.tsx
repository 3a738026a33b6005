import type { Person } from '@akashi/contract'
import { Loader, TextInput, UnstyledButton } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { peopleQuery } from '../client/queries.ts'
import { useTexts } from '../locales/index.ts'
import classes from './people-picker.module.css'
import { PersonAvatar } from './person-avatar.tsx'

/** Milliseconds without typing before the search starts. */
const TYPING_MS = 200

interface PeoplePickerProps {
  readonly label: string
  readonly except: ReadonlySet<string>
  readonly busy: boolean
  readonly onPick: (person: Person) => void
}

/** Picks one person by name. */
export function PeoplePicker({ label, except, busy, onPick }: PeoplePickerProps) {
  const t = useTexts()
  const [words, setWords] = useState('')
  const [q] = useDebouncedValue(words.trim(), TYPING_MS)
  const { data: people, isFetching } = useQuery({ ...peopleQuery(q), placeholderData: keepPreviousData })
  const choices = people?.filter(({ id }) => !except.has(id)) ?? []
  return (
    <div>
      <TextInput
        label={label}
        placeholder={t('people.find')}
        value={words}
        onChange={(event) => setWords(event.currentTarget.value)}
        leftSection={isFetching ? <Loader size={14} /> : <IconSearch size={16} aria-hidden />}
        autoComplete="off"
        data-autofocus
      />
      <ul className={classes['list']} aria-label={label}>
        {choices.map((person) => (
          <li key={person.id}>
            <UnstyledButton className={classes['one'] ?? ''} disabled={busy} onClick={() => onPick(person)}>
              <PersonAvatar person={person} size={34} />
              <span className={classes['texts']}>
                <bdi>{person.displayName}</bdi>
                <bdi className={classes['username']}>@{person.username}</bdi>
              </span>
            </UnstyledButton>
          </li>
        ))}
        {people !== undefined && choices.length === 0 && (
          <li className={classes['none']}>{t('people.none')}</li>
        )}
      </ul>
    </div>
  )
}
