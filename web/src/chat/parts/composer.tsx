import { MAX_MESSAGE_CHARACTERS, type Person, type Room } from '@akashi/contract'
import { ActionIcon, Tooltip } from '@mantine/core'
import { IconPaperclip, IconSend2, IconX } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { type ClipboardEvent, useEffect, useRef, useState } from 'react'
import { takesKeys } from '../../shell/index.ts'
import { GrowingTextarea } from '../../ui/index.ts'
import { useChat, useDrafts, useSelected } from '../client/context.tsx'
import { membersQuery } from '../client/queries.ts'
import { nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { emptyDraft } from '../model/drafts.ts'
import { isGroup, namesOf } from '../model/mentions.ts'
import { mentionedWithGroups } from '../model/tokens.ts'
import classes from './composer.module.css'
import { EmojiPopover } from './emoji-popover.tsx'
import { FileTray } from './file-tray.tsx'
import { hasKeyboard, isComposing, sends } from './keys.ts'
import { Quote } from './message-row.tsx'
import { Suggestions, useSuggestions } from './suggestions.tsx'

/** How many characters before the limit the rest is shown. */
const NEARLY_FULL = 200

interface ComposerProps {
  readonly room: Room
  readonly name: string
  readonly onFiles: (files: Iterable<File>) => void
}

/** Writes a message to a room. What is not sent stays in the drafts. */
export function Composer({ room, name, onFiles }: ComposerProps) {
  const t = useTexts()
  const chat = useChat()
  const drafts = useDrafts()
  const { text, replyTo, files } = useSelected(drafts.rooms, (all) => all.get(room.id) ?? emptyDraft)
  const [obstacle, setObstacle] = useState<'uploading' | 'failed' | null>(null)
  const field = useRef<HTMLTextAreaElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const suggestions = useSuggestions(room, text, field)
  const content = text.trim()
  const left = MAX_MESSAGE_CHARACTERS - [...content].length
  const isEmpty = content === '' && files.length === 0

  useTypingAnywhere(field)
  useEffect(() => {
    if (hasKeyboard()) field.current?.focus()
  }, [])
  useEffect(() => {
    if (replyTo !== null) field.current?.focus()
  }, [replyTo])

  const { data: members = [] } = useQuery({ ...membersQuery(room.id), enabled: room.type !== 'direct' })
  const groupMembers = () => {
    const others =
      room.type === 'direct' ? [] : members.map(({ user }) => user.id).filter((id) => id !== chat.me.id)
    const presence = chat.presence.get()
    return { everyone: others, here: others.filter((id) => (presence.get(id) ?? 'offline') !== 'offline') }
  }
  // @here is meant for those who are online now.
  const asksWhoIsHere = /[@＠](?:here|いる人)/u.test(text)
  useEffect(() => {
    if (asksWhoIsHere) void chat.watch(members.map(({ user }) => user.id)).catch(() => undefined)
  }, [chat, members, asksWhoIsHere])

  const insert = (emoji: string) => {
    const { selectionStart: start = text.length, selectionEnd: end = text.length } = field.current ?? {}
    drafts.write(room.id, text.slice(0, start) + emoji + text.slice(end))
    const caret = start + emoji.length
    requestAnimationFrame(() => {
      field.current?.focus()
      field.current?.setSelectionRange(caret, caret)
    })
  }

  /** Opens the person's last message for editing. */
  const editLast = (): boolean => {
    const last = chat.timelines
      .get()
      .get(room.id)
      ?.messages.findLast((message) => message.author?.id === chat.me.id && !message.isDeleted)
    if (last === undefined || last.content === '') return false
    drafts.edit(room.id, last.id, last.content)
    return true
  }

  const send = () => {
    if (left < 0 || isEmpty) return
    // A message never goes without a file that was meant to go with it.
    const unfinished = files.find(({ fileId }) => fileId === null)
    setObstacle(unfinished === undefined ? null : unfinished.state === 'uploading' ? 'uploading' : 'failed')
    if (unfinished !== undefined) return
    const [first = null, ...others] = files.flatMap((file) =>
      file.fileId === null ? [] : [{ id: file.fileId, name: file.name }],
    )
    const mentions = mentionedWithGroups(content, namesOf(chat.people.get().values()), groupMembers())
    chat.send(room.id, { content, mentions, replyTo, file: first })
    for (const file of others) chat.send(room.id, { content: '', file })
    drafts.sent(room.id)
    field.current?.focus()
  }

  const mention = (person: Person) => {
    const { before, after } = suggestions.around
    const next = `${before}@${person.username} `
    if (!isGroup(person.id)) chat.remember([person])
    drafts.write(room.id, next + after.trimStart())
    suggestions.placeCaret(next.length)
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
        <Suggestions people={suggestions.people} selected={suggestions.selected} onPick={mention} />
      )}
      {replyTo !== null && (
        <div className={classes['reply']}>
          <Quote quoted={replyTo} />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('composer.cancelReply')}
            onClick={() => drafts.replyTo(room.id, null)}
          >
            <IconX size={16} />
          </ActionIcon>
        </div>
      )}
      <FileTray roomId={room.id} files={files} />
      <div className={classes['line']}>
        {!room.isEncrypted && (
          <>
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
                onFiles([...(event.currentTarget.files ?? [])])
                event.currentTarget.value = ''
              }}
            />
          </>
        )}
        <GrowingTextarea
          ref={field}
          className={classes['field'] ?? ''}
          classNames={{ input: classes['input'] ?? '' }}
          variant="unstyled"
          aria-label={t('composer.label', { name })}
          {...suggestions.list}
          placeholder={t('composer.label', { name })}
          value={text}
          maxRows={10}
          onChange={(event) => {
            drafts.write(room.id, event.currentTarget.value)
            suggestions.caretMoved(event.currentTarget)
            if (event.currentTarget.value.trim() !== '') chat.typingIn(room.id)
          }}
          onSelect={(event) => suggestions.caretMoved(event.currentTarget)}
          onBlur={suggestions.close}
          onPaste={(event) => {
            const pasted = pastedFiles(event)
            if (pasted.length === 0) return
            event.preventDefault()
            onFiles(pasted)
          }}
          onKeyDown={(event) => {
            if (isComposing(event)) return
            if (suggestions.onKey(event, mention)) return
            if (event.key === 'ArrowUp' && text === '' && editLast()) event.preventDefault()
            if (event.key === 'Escape' && replyTo !== null) drafts.replyTo(room.id, null)
            if (sends(event)) {
              event.preventDefault()
              send()
            }
          }}
        />
        <EmojiPopover
          label={t('emoji.label')}
          position="top-end"
          button={{ size: 36 }}
          iconSize={20}
          onPick={insert}
        />
        <ActionIcon
          type="submit"
          size={36}
          variant="filled"
          aria-label={t('composer.send')}
          disabled={left < 0 || isEmpty || files.some(({ state }) => state === 'uploading')}
        >
          <IconSend2 size={19} />
        </ActionIcon>
      </div>
      {obstacle !== null && files.some(({ fileId }) => fileId === null) && (
        <p className={classes['obstacle']} role="alert">
          {t(`composer.${obstacle}`)}
        </p>
      )}
      {left < NEARLY_FULL && (
        <p className={classes['left']} data-over={left < 0} aria-live="polite">
          {left < 0 ? t('composer.tooLong', { count: -left }) : t('composer.left', { count: left })}
        </p>
      )}
      <span className={classes['hidden']} aria-live="polite">
        {replyTo !== null && t('composer.replying', { name: nameOf(t, replyTo.author) })}
        {suggestions.people.length > 0 && t('composer.suggested', { count: suggestions.people.length })}
      </span>
    </form>
  )
}

/**
 * The files of a paste, unless they come beside text: spreadsheets and word processors add a picture of what was
 * copied, and file managers the file's name.
 */
function pastedFiles({ clipboardData }: ClipboardEvent): readonly File[] {
  const files = [...clipboardData.files]
  const text = clipboardData.getData('text/plain').trim()
  const isText = text !== '' && !files.some(({ name }) => text.includes(name))
  return isText ? [] : files
}

/** In a room, printable keys write, wherever the focus is. */
function useTypingAnywhere(field: React.RefObject<HTMLTextAreaElement | null>): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const printable = event.key.length === 1 && event.key !== ' '
      if (!printable || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
      if (takesKeys(event.target) || takesKeys(document.activeElement)) return
      field.current?.focus()
    }
    // Before the shortcuts, which leave keys in text fields alone.
    document.addEventListener('keydown', onKeyDown, { capture: true })
    return () => document.removeEventListener('keydown', onKeyDown, { capture: true })
  }, [field])
}
