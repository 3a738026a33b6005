import { Loader, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useDeferredValue, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { currentLanguage } from '../../i18n/index.ts'
import { useTexts } from '../locales/index.ts'
import { type Emoji, emojiGroups, findEmoji, loadEmoji } from '../model/emoji.ts'
import { recentEmoji, rememberEmoji } from '../model/recent-emoji.ts'
import classes from './emoji-picker.module.css'

const MAX_FOUND = 96

interface EmojiPickerProps {
  readonly onPick: (emoji: string) => void
}

/** Every emoji by group, those that the person used last first, and a search by name or shortcode. */
export function EmojiPicker({ onPick }: EmojiPickerProps) {
  const t = useTexts()
  const common = useTranslation().t
  const [search, setSearch] = useState('')
  const wanted = useDeferredValue(search.trim())
  const [recent] = useState(recentEmoji)
  const language = currentLanguage()
  const { data: all } = useQuery({
    queryKey: ['chat', 'emoji', language],
    queryFn: () => loadEmoji(language),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const found = all !== undefined && wanted !== '' ? findEmoji(all, wanted).slice(0, MAX_FOUND) : null
  const pick = (emoji: string) => {
    rememberEmoji(emoji)
    onPick(emoji)
  }
  const known = new Map(all?.map((one) => [one.emoji, one]))
  return (
    <div className={classes['picker']}>
      <TextInput
        size="xs"
        type="search"
        aria-label={t('emoji.search')}
        placeholder={t('emoji.search')}
        value={search}
        data-autofocus
        onChange={(event) => setSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          const typed = search.trim()
          const [first] = all === undefined || typed === '' ? [] : findEmoji(all, typed)
          if (event.key !== 'Enter' || first === undefined) return
          event.preventDefault()
          pick(first.emoji)
        }}
      />
      <div className={classes['groups']}>
        {found === null && <Group title={t('emoji.recent')} emoji={recent} known={known} onPick={pick} />}
        {all === undefined ? (
          <Loader size="sm" m="sm" aria-label={common('common.loading')} role="status" />
        ) : found === null ? (
          emojiGroups.map((group) => (
            <Group
              key={group}
              title={t(`emoji.${group}`)}
              emoji={all.filter((one) => one.group === group).map(({ emoji }) => emoji)}
              known={known}
              onPick={pick}
            />
          ))
        ) : found.length === 0 ? (
          <p className={classes['none']} role="status">
            {t('emoji.none')}
          </p>
        ) : (
          <Group
            title={t('emoji.found')}
            emoji={found.map(({ emoji }) => emoji)}
            known={known}
            onPick={pick}
          />
        )}
      </div>
    </div>
  )
}

interface GroupProps {
  readonly title: string
  readonly emoji: readonly string[]
  readonly known: ReadonlyMap<string, Emoji>
  readonly onPick: (emoji: string) => void
}

function Group({ title, emoji, known, onPick }: GroupProps) {
  return (
    <fieldset className={classes['group']}>
      <legend>{title}</legend>
      {emoji.map((one) => {
        const about = known.get(one)
        const code = about?.shortcodes[0]
        return (
          <button
            key={one}
            type="button"
            aria-label={about === undefined ? one : `${one} ${about.label}`}
            title={
              about === undefined ? undefined : [about.label, code && `:${code}:`].filter(Boolean).join(' ')
            }
            onClick={() => onPick(one)}
          >
            {one}
          </button>
        )
      })}
    </fieldset>
  )
}
