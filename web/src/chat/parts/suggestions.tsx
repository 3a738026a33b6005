import type { Person, Room } from '@akashi/contract'
import { IconUsers } from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type RefObject, useState } from 'react'
import { useChat } from '../client/context.tsx'
import { peopleQuery } from '../client/queries.ts'
import { type ChatTexts, useTexts } from '../locales/index.ts'
import { someContain } from '../model/fold.ts'
import { isGroup, unfinishedMention } from '../model/mentions.ts'
import classes from './composer.module.css'
import { PersonAvatar } from './person-avatar.tsx'

const MAX_SUGGESTIONS = 6
const LIST_ID = 'chat-suggestions'
const noPeople: readonly Person[] = []

/** Members of the room whose name matches what is being written behind an @. */
export function useSuggestions(room: Room, text: string, field: RefObject<HTMLTextAreaElement | null>) {
  const t = useTexts()
  const { me } = useChat()
  const [caret, setCaret] = useState<number | null>(null)
  const [selection, setSelection] = useState(0)
  const [dismissed, setDismissed] = useState<string | null>(null)
  const before = caret === null ? '' : text.slice(0, caret)
  const mention = room.type === 'direct' ? null : unfinishedMention(before)
  const { data } = useQuery({
    ...peopleQuery(mention?.name ?? '', room.id),
    enabled: mention !== null,
    placeholderData: keepPreviousData,
  })
  const people =
    mention === null || dismissed === before
      ? noPeople
      : [...(data ?? noPeople)]
          .concat(groupsOf(t))
          .filter((person) => person.id !== me.id && matches(person, mention.name))
          .slice(0, MAX_SUGGESTIONS)
  const selected = Math.min(selection, Math.max(0, people.length - 1))
  return {
    people,
    selected,
    /** Text in front of the @ and behind the caret. */
    around: {
      before: before.slice(0, mention?.start ?? before.length),
      after: text.slice(caret ?? text.length),
    },
    /** Ties the list of people to the field. Its role stays: HTML allows a textarea no other. */
    list:
      people.length === 0
        ? {}
        : ({
            'aria-haspopup': 'listbox',
            'aria-autocomplete': 'list',
            'aria-controls': LIST_ID,
            'aria-activedescendant': optionId(selected),
          } as const),
    /** The caret will be here once the field has its new text. */
    placeCaret: setCaret,
    caretMoved(target: HTMLTextAreaElement) {
      setCaret(target.selectionStart === target.selectionEnd ? target.selectionStart : null)
    },
    close: () => setDismissed(before),
    /** Handles the keys of the list. Returns whether the key was one. */
    onKey(event: KeyboardEvent, pick: (person: Person) => void): boolean {
      if (people.length === 0 || field.current === null) return false
      const person = people[selected]
      if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
        const step = event.key === 'ArrowDown' ? 1 : people.length - 1
        setSelection((selected + step) % people.length)
      } else if ((event.key === 'Enter' || event.key === 'Tab') && !event.shiftKey && person !== undefined) {
        setSelection(0)
        pick(person)
      } else if (event.key === 'Escape') setDismissed(before)
      else return false
      event.preventDefault()
      return true
    },
  }
}

/** People found for what was written before may not match any more. */
function matches({ username, displayName }: Person, name: string): boolean {
  return someContain([username, displayName], name)
}

interface SuggestionsProps {
  readonly people: readonly Person[]
  readonly selected: number
  readonly onPick: (person: Person) => void
}

export function Suggestions({ people, selected, onPick }: SuggestionsProps) {
  const t = useTexts()
  return (
    <div id={LIST_ID} className={classes['suggestions']} role="listbox" aria-label={t('composer.people')}>
      {people.map((person, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the text field handles the keys
        <div
          key={person.id}
          id={optionId(index)}
          className={classes['suggestion']}
          role="option"
          tabIndex={-1}
          aria-selected={index === selected}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onPick(person)}
        >
          {isGroup(person.id) ? (
            <IconUsers size={22} aria-hidden />
          ) : (
            <PersonAvatar person={person} size={26} />
          )}
          <bdi>{person.displayName}</bdi>
          <bdi className={classes['username']}>@{person.username}</bdi>
        </div>
      ))}
    </div>
  )
}

/** Groups are offered like people. */
function groupsOf(t: ChatTexts): Person[] {
  return (['everyone', 'here'] as const).map((group) => ({
    id: group,
    username: group,
    displayName: t(`composer.${group}`),
    avatarUrl: null,
  }))
}

function optionId(index: number): string {
  return `chat-suggestion-${index}`
}
