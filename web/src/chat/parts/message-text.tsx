import { Fragment, useMemo } from 'react'
import { useChat, useObserved } from '../client/context.tsx'
import { tokenize } from '../model/tokens.ts'
import classes from './message-text.module.css'

interface MessageTextProps {
  readonly text: string
  /** Ids of those whom it mentions. */
  readonly mentions: readonly string[]
  readonly words?: readonly string[]
}

/** The words of a message: text, and nothing that a message brings is ever anything else. */
export function MessageText({ text, mentions, words }: MessageTextProps) {
  const chat = useChat()
  const people = useObserved(chat.people)
  const tokens = useMemo(() => {
    const known = mentions.flatMap((id) => {
      const person = people.get(id)
      return person === undefined ? [] : [[person.username, id] as const]
    })
    return tokenize(text, { mentions: new Map(known), ...(words === undefined ? {} : { words }) })
  }, [text, mentions, words, people])
  return (
    <div className={classes['text']} dir="auto">
      {tokens.map((token, at) => {
        // biome-ignore lint/suspicious/noArrayIndexKey: the tokens of a text have no other identity
        if (token.kind === 'text') return <Fragment key={at}>{token.text}</Fragment>
        if (token.kind === 'mark') {
          // biome-ignore lint/suspicious/noArrayIndexKey: the tokens of a text have no other identity
          return <mark key={at}>{token.text}</mark>
        }
        if (token.kind === 'link') {
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: the tokens of a text have no other identity
            <a key={at} href={token.href} target="_blank" rel="noopener noreferrer nofollow">
              {token.text}
            </a>
          )
        }
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: the tokens of a text have no other identity
          <span key={at} className={classes['mention']} data-me={token.userId === chat.me.id}>
            {token.text}
          </span>
        )
      })}
    </div>
  )
}
