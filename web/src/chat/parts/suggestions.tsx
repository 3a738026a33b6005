import type { Person, Room } from '@akashi/contract'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type RefObject, useState } from 'react'
import { useChat } from '../client/context.tsx'
import { useTexts } from '../locales/index.ts'
import classes from './composer.module.css'
import { Face } from './face.tsx'
import { peopleQuery } from './inbox-queries.ts'

const unfinished = /(?:^|[\s、。「(（])@([\p{L}\p{N}_.-]{0,30})$/u
/** People that are offered at once. */
const MOST = 6
const nobody: readonly Person[] = []

/** People of the room whose name goes on as the one that is being written behind an @. */
export function useSuggestions(room: Room, text: string, field: RefObject<HTMLTextAreaElement | null>) {
  const { me } = useChat()
  const [caret, setCaret] = useState<number | null>(null)
  const [at, setAt] = useState(0)
  const [refused, setRefused] = useState<string | null>(null)
  const before = caret === null ? '' : text.slice(0, caret)
  const found = room.type === 'direct' ? null : unfinished.exec(before)
  const words = found?.[1] ?? null
  const { data } = useQuery({
    ...peopleQuery(words ?? '', room.id),
    enabled: words !== null,
    placeholderData: keepPreviousData,
  })
  const people =
    words === null || refused === before
      ? nobody
      : (data ?? nobody).filter(({ id }) => id !== me.id).slice(0, MOST)
  const selected = Math.min(at, Math.max(0, people.length - 1))
  return {
    people,
    at: selected,
    around: {
      before: before.slice(0, before.length - (words?.length ?? 0) - 1),
      after: text.slice(caret ?? text.length),
    },
    look: (target: HTMLTextAreaElement) => {
      setCaret(target.selectionStart === target.selectionEnd ? target.selectionStart : null)
    },
    /** Answers whether the key was for the list. */
    onKey(event: KeyboardEvent, pick: (person: Person) => void): boolean {
      if (people.length === 0 || field.current === null) return false
      const person = people[selected]
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        const step = event.key === 'ArrowDown' ? 1 : people.length - 1
        setAt((selected + step) % people.length)
      } else if ((event.key === 'Enter' || event.key === 'Tab') && !event.shiftKey && person !== undefined) {
        setAt(0)
        pick(person)
      } else if (event.key === 'Escape') setRefused(before)
      else return false
      event.preventDefault()
      return true
    },
  }
}

interface SuggestionsProps {
  readonly people: readonly Person[]
  readonly at: number
  readonly onPick: (person: Person) => void
}

export function Suggestions({ people, at, onPick }: SuggestionsProps) {
  const t = useTexts()
  return (
    <div
      id="chat-suggestions"
      className={classes['suggestions']}
      role="listbox"
      aria-label={t('composer.people')}
    >
      {people.map((person, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the text field has the keys
        <div
          key={person.id}
          id={`chat-suggestion-${index}`}
          className={classes['suggestion']}
          role="option"
          tabIndex={-1}
          aria-selected={index === at}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onPick(person)}
        >
          <Face person={person} size={26} />
          <bdi>{person.displayName}</bdi>
          <bdi className={classes['username']}>@{person.username}</bdi>
        </div>
      ))}
    </div>
  )
}
