import type { Person, Room } from '@akashi/contract'
import { TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import {
  IconBell,
  IconBookmark,
  IconCompass,
  IconHash,
  IconLock,
  IconSearch,
  IconUserCircle,
} from '@tabler/icons-react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactNode, useState } from 'react'
import { useNavigate } from 'react-router'
import { Dialog } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { peopleQuery } from '../client/queries.ts'
import { peersOf, roomName } from '../client/text.ts'
import { type ChatTexts, useTexts } from '../locales/index.ts'
import { someContain } from '../model/fold.ts'
import { byNewest } from '../model/rooms.ts'
import { GroupAvatar } from './group-avatar.tsx'
import { isComposing } from './keys.ts'
import { PersonAvatar } from './person-avatar.tsx'
import classes from './switcher.module.css'
import { useDirect } from './use-direct.ts'

const MAX_ROOMS = 8
const MAX_PEOPLE = 5
/** Milliseconds without typing before people are looked up. */
const TYPING_MS = 150
const LIST_ID = 'chat-switcher'

interface Choice {
  readonly key: string
  readonly icon: ReactNode
  readonly label: string
  readonly detail: string
  readonly go: () => void
}

/** Goes to a room, a person or a page by the beginning of its name. */
export function Switcher({ onClose }: { readonly onClose: () => void }) {
  const t = useTexts()
  const [words, setWords] = useState('')
  const [selection, setSelection] = useState(0)
  const choices = useChoices(words.trim(), onClose)
  const selected = Math.min(selection, Math.max(0, choices.length - 1))
  const onKeyDown = (event: KeyboardEvent) => {
    if (isComposing(event) || choices.length === 0) return
    if (event.key === 'ArrowDown') setSelection((selected + 1) % choices.length)
    else if (event.key === 'ArrowUp') setSelection((selected + choices.length - 1) % choices.length)
    else if (event.key === 'Enter') choices[selected]?.go()
    else return
    event.preventDefault()
  }
  return (
    <Dialog opened onClose={onClose} title={t('switcher.title')}>
      <TextInput
        role="combobox"
        aria-label={t('switcher.label')}
        aria-expanded
        aria-controls={LIST_ID}
        aria-autocomplete="list"
        aria-activedescendant={choices.length === 0 ? undefined : optionId(selected)}
        placeholder={t('switcher.label')}
        leftSection={<IconSearch size={16} aria-hidden />}
        value={words}
        maxLength={100}
        autoComplete="off"
        data-autofocus
        onChange={(event) => {
          setWords(event.currentTarget.value)
          setSelection(0)
        }}
        onKeyDown={onKeyDown}
      />
      <div id={LIST_ID} role="listbox" aria-label={t('switcher.title')} className={classes['list']}>
        {choices.map(({ key, icon, label, detail, go }, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the text field handles the keys
          <div
            key={key}
            id={optionId(index)}
            className={classes['choice']}
            role="option"
            tabIndex={-1}
            aria-selected={index === selected}
            onMouseEnter={() => setSelection(index)}
            onClick={go}
          >
            <span className={classes['icon']}>{icon}</span>
            <bdi className={classes['name']}>{label}</bdi>
            <span className={classes['detail']}>{detail}</span>
          </div>
        ))}
      </div>
    </Dialog>
  )
}

function useChoices(words: string, onClose: () => void): readonly Choice[] {
  const t = useTexts()
  const chat = useChat()
  const navigate = useNavigate()
  const direct = useDirect()
  const rooms = useObserved(chat.rooms)
  const [asked] = useDebouncedValue(words, TYPING_MS)
  const { data: people = [] } = useQuery({
    ...peopleQuery(asked),
    enabled: asked !== '',
    placeholderData: keepPreviousData,
  })
  const to = (path: string) => () => {
    onClose()
    void navigate(path)
  }
  const inRooms = [...byNewest(rooms?.values() ?? [])]
    .filter((room) => someContain([roomName(t, room), ...room.peers.map(({ username }) => username)], words))
    .sort((left, right) => Number(right.unread > 0) - Number(left.unread > 0))
    .slice(0, MAX_ROOMS)
  const known = new Set(inRooms.flatMap(({ peer }) => peer?.id ?? []))
  const others = words === '' ? [] : people.filter(({ id }) => id !== chat.me.id && !known.has(id))
  return [
    ...inRooms.map((room) => roomChoice(t, room, to(`/chat/rooms/${room.id}`))),
    ...others
      .filter(({ username, displayName }) => someContain([username, displayName], words))
      .slice(0, MAX_PEOPLE)
      .map((person) =>
        personChoice(t, person, () => void direct.open(person).then((done) => done && onClose())),
      ),
    ...pages(t)
      .filter(({ label }) => someContain([label], words))
      .map(({ path, label, icon }) => ({ key: path, icon, label, detail: t('switcher.page'), go: to(path) })),
    ...(words === ''
      ? []
      : [
          {
            key: 'search',
            icon: <IconSearch size={18} aria-hidden />,
            label: t('switcher.searchFor', { words }),
            detail: t('switcher.messages'),
            go: to(`/chat/search?q=${encodeURIComponent(words)}`),
          },
        ]),
  ]
}

function roomChoice(t: ChatTexts, room: Room, go: () => void): Choice {
  const Icon = room.type === 'private' ? IconLock : IconHash
  return {
    key: room.id,
    icon:
      room.type === 'direct' ? (
        <PersonAvatar person={room.peer} size={22} />
      ) : room.type === 'group' ? (
        <GroupAvatar people={peersOf(room)} size={22} />
      ) : (
        <Icon size={18} aria-hidden />
      ),
    label: roomName(t, room),
    detail:
      room.unread > 0
        ? t('unread', { count: room.unread })
        : t(room.type === 'direct' ? 'direct' : room.type),
    go,
  }
}

function personChoice(t: ChatTexts, person: Person, go: () => void): Choice {
  return {
    key: person.id,
    icon: <PersonAvatar person={person} size={22} />,
    label: person.displayName,
    detail: t('switcher.person', { username: person.username }),
    go,
  }
}

const pages = (t: ChatTexts) => [
  { path: '/chat/search', label: t('search'), icon: <IconSearch size={18} aria-hidden /> },
  { path: '/chat/directory', label: t('directory'), icon: <IconCompass size={18} aria-hidden /> },
  { path: '/chat/notifications', label: t('notifications'), icon: <IconBell size={18} aria-hidden /> },
  { path: '/chat/saved', label: t('savedPage.title'), icon: <IconBookmark size={18} aria-hidden /> },
  { path: '/account', label: t('switcher.account'), icon: <IconUserCircle size={18} aria-hidden /> },
]

function optionId(index: number): string {
  return `chat-switcher-${index}`
}
