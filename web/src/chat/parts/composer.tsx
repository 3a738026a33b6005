import { MAX_MESSAGE_CHARACTERS, type Message, type Person, type Room } from '@akashi/contract'
import { ActionIcon, Textarea, Tooltip } from '@mantine/core'
import { IconPaperclip, IconSend2, IconX } from '@tabler/icons-react'
import { useEffect, useRef, useState } from 'react'
import { useShortcuts } from '../../shell/index.ts'
import { useChat } from '../client/context.tsx'
import { nameOf } from '../client/text.ts'
import type { useFiles } from '../client/use-files.ts'
import { useTexts } from '../locales/index.ts'
import { mentionedIn } from '../model/tokens.ts'
import classes from './composer.module.css'
import { FileTray } from './file-tray.tsx'
import { isComposing, sends } from './keys.ts'
import { Quote } from './message-row.tsx'
import { Suggestions, useSuggestions } from './suggestions.tsx'

/** Characters before the limit from which on it is shown how many are left. */
const NEARLY_FULL = 200

/** What was begun in a room, for when its writer comes back. */
const drafts = new Map<string, string>()

interface ComposerProps {
  readonly room: Room
  readonly name: string
  readonly files: ReturnType<typeof useFiles>
  readonly replyTo: Message | null
  readonly onReplied: () => void
}

export function Composer({ room, name, files, replyTo, onReplied }: ComposerProps) {
  const t = useTexts()
  const chat = useChat()
  const [text, setText] = useState(() => drafts.get(room.id) ?? '')
  const field = useRef<HTMLTextAreaElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const suggestions = useSuggestions(room, text, field)
  const content = text.trim()
  const left = MAX_MESSAGE_CHARACTERS - [...content].length
  const uploading = files.files.some(({ state }) => state === 'uploading')
  const ready = files.files.flatMap(({ file }) => (file === null ? [] : [file]))
  const maySend = left >= 0 && !uploading && (content !== '' || ready.length > 0)

  useEffect(() => {
    if (text === '') drafts.delete(room.id)
    else drafts.set(room.id, text)
  }, [room.id, text])
  useEffect(() => {
    if (replyTo !== null) field.current?.focus()
  }, [replyTo])
  useShortcuts([
    {
      keys: 'w',
      label: t('shortcuts.write'),
      group: t('shortcuts.group'),
      act: () => field.current?.focus(),
    },
  ])

  const send = () => {
    if (!maySend) return
    const people = new Map([...chat.people.get().values()].map(({ username, id }) => [username, id]))
    const mentions = mentionedIn(content, people)
    const [first = null, ...others] = ready
    chat.send(room.id, { content, mentions, replyTo, file: first })
    for (const file of others) chat.send(room.id, { content: '', file })
    setText('')
    files.clear()
    onReplied()
    field.current?.focus()
  }

  const mention = (person: Person) => {
    const { before, after } = suggestions.around
    const next = `${before}@${person.username} `
    chat.meet([person])
    setText(next + after.trimStart())
    requestAnimationFrame(() => {
      field.current?.focus()
      field.current?.setSelectionRange(next.length, next.length)
    })
  }

  return (
    <form
      className={classes['composer']}
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      {suggestions.people.length > 0 && (
        <Suggestions people={suggestions.people} at={suggestions.at} onPick={mention} />
      )}
      {replyTo !== null && (
        <div className={classes['reply']}>
          <Quote quoted={replyTo} />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('composer.cancelReply')}
            onClick={onReplied}
          >
            <IconX size={16} />
          </ActionIcon>
        </div>
      )}
      <FileTray files={files} />
      <div className={classes['line']}>
        <Tooltip label={t('composer.attach')}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size={36}
            aria-label={t('composer.attach')}
            onClick={() => picker.current?.click()}
          >
            <IconPaperclip size={20} />
          </ActionIcon>
        </Tooltip>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          aria-label={t('composer.attach')}
          onChange={(event) => {
            files.add(event.currentTarget.files ?? [])
            event.currentTarget.value = ''
          }}
        />
        <Textarea
          ref={field}
          className={classes['field'] ?? ''}
          classNames={{ input: classes['input'] ?? '' }}
          variant="unstyled"
          aria-label={t('composer.label', { name })}
          aria-autocomplete="list"
          aria-controls={suggestions.people.length > 0 ? 'chat-suggestions' : undefined}
          aria-activedescendant={
            suggestions.people.length > 0 ? `chat-suggestion-${suggestions.at}` : undefined
          }
          placeholder={t('composer.placeholder', { name })}
          value={text}
          autosize
          minRows={1}
          maxRows={10}
          onChange={(event) => {
            setText(event.currentTarget.value)
            suggestions.look(event.currentTarget)
            if (event.currentTarget.value.trim() !== '') chat.typingIn(room.id)
          }}
          onSelect={(event) => suggestions.look(event.currentTarget)}
          onPaste={(event) => {
            if (event.clipboardData.files.length === 0) return
            event.preventDefault()
            files.add(event.clipboardData.files)
          }}
          onKeyDown={(event) => {
            if (isComposing(event)) return
            if (suggestions.onKey(event, mention)) return
            if (event.key === 'Escape' && replyTo !== null) onReplied()
            if (sends(event)) {
              event.preventDefault()
              send()
            }
          }}
        />
        <ActionIcon
          type="submit"
          size={36}
          variant="filled"
          aria-label={t('composer.send')}
          disabled={!maySend}
        >
          <IconSend2 size={19} />
        </ActionIcon>
      </div>
      {left < NEARLY_FULL && (
        <p className={classes['left']} data-over={left < 0} aria-live="polite">
          {left < 0 ? t('composer.tooLong', { count: -left }) : t('composer.left', { count: left })}
        </p>
      )}
      <span className={classes['hidden']} aria-live="polite">
        {replyTo !== null && t('composer.replying', { name: nameOf(t, replyTo.author) })}
      </span>
    </form>
  )
}
