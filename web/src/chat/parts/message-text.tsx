import { createElement, Fragment, type ReactNode, useMemo } from 'react'
import { Link } from 'react-router'
import { useChat, useObserved } from '../client/context.tsx'
import { type Block, type Inline, parseMarkdown } from '../model/markdown.ts'
import { isGroup, type Names, namesOf, withGroups } from '../model/mentions.ts'
import { type Token, tokenize } from '../model/tokens.ts'
import classes from './message-text.module.css'

interface MessageTextProps {
  readonly text: string
  /** Ids of the people it mentions. */
  readonly mentions: readonly string[]
  /** Words to mark. */
  readonly words?: readonly string[]
}

interface Options {
  readonly names: Names
  readonly words: readonly string[]
  readonly me: string
  /** Whether the message mentions the reader, by name or as one of a group. */
  readonly forMe: boolean
}

const noWords: readonly string[] = []

/** The text of a message with its Markdown. Rendered as elements, never as HTML. */
export function MessageText({ text, mentions, words = noWords }: MessageTextProps) {
  const chat = useChat()
  const people = useObserved(chat.people)
  const content = useMemo(() => {
    const mentioned = mentions.flatMap((id) => people.get(id) ?? [])
    const me = chat.me.id
    const names = mentions.length === 0 ? namesOf(mentioned) : withGroups(namesOf(mentioned))
    return blocks(parseMarkdown(text), { names, words, me, forMe: mentions.includes(me) })
  }, [text, mentions, words, people, chat.me.id])
  return (
    <div className={classes['text']} dir="auto">
      {content}
    </div>
  )
}

/** Nodes that never change their order, and therefore need no keys. */
function sequence(nodes: readonly ReactNode[]): ReactNode {
  return createElement(Fragment, null, ...nodes)
}

function blocks(all: readonly Block[], options: Options): ReactNode {
  return sequence(all.map((block) => blockNode(block, options)))
}

function blockNode(block: Block, options: Options): ReactNode {
  switch (block.kind) {
    case 'code':
      return (
        <pre className={classes['code']}>
          <code>{block.text}</code>
        </pre>
      )
    case 'quote':
      return <blockquote className={classes['quote']}>{blocks(block.blocks, options)}</blockquote>
    case 'list': {
      const items = sequence(block.items.map((item) => createElement('li', null, inlines(item, options))))
      return block.start === null ? <ul>{items}</ul> : <ol start={block.start}>{items}</ol>
    }
    default:
      return inlines(block.children, options)
  }
}

function inlines(all: readonly Inline[], options: Options): ReactNode {
  return sequence(all.map((inline) => inlineNode(inline, options)))
}

function inlineNode(inline: Inline, options: Options): ReactNode {
  switch (inline.kind) {
    case 'text':
      return sequence(
        tokenize(inline.text, { mentions: options.names, words: options.words }).map((token) =>
          tokenNode(token, options),
        ),
      )
    case 'code':
      return <code>{inline.text}</code>
    case 'strong':
      return <strong>{inlines(inline.children, options)}</strong>
    case 'em':
      return <em>{inlines(inline.children, options)}</em>
    default:
      return <del>{inlines(inline.children, options)}</del>
  }
}

function tokenNode(token: Token, { me, forMe }: Options): ReactNode {
  switch (token.kind) {
    case 'mark':
      return <mark>{token.text}</mark>
    case 'link': {
      const own = withinChat(token.href)
      if (own !== null) return <Link to={own}>{token.text}</Link>
      return (
        <a href={token.href} target="_blank" rel="noopener noreferrer nofollow">
          {token.text}
        </a>
      )
    }
    case 'mention':
      return (
        <span
          className={classes['mention']}
          data-me={token.userId === me || (isGroup(token.userId) && forMe)}
        >
          {token.text}
        </span>
      )
    default:
      return token.text
  }
}

/** The path of a place in the chat of this server, which opens in the same tab; null for other addresses. */
function withinChat(href: string): string | null {
  const { origin, pathname, search } = new URL(href)
  return origin === location.origin && pathname.startsWith('/chat/') ? `${pathname}${search}` : null
}
