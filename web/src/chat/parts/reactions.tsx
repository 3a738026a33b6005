import type { Message } from '@akashi/contract'
import { Tooltip } from '@mantine/core'
import { call } from '../../api/index.ts'
import { showProblem } from '../../ui/index.ts'
import { useChat, useObserved } from '../client/context.tsx'
import { nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import classes from './reactions.module.css'

/** How many names the label of a reaction lists. */
const MAX_NAMES = 12

export function Reactions({ message }: { readonly message: Message }) {
  const t = useTexts()
  const chat = useChat()
  const people = useObserved(chat.people)
  return (
    <div className={classes['reactions']}>
      {message.reactions.map(({ emoji, userIds }) => {
        const mine = userIds.includes(chat.me.id)
        const names = userIds
          .slice(0, MAX_NAMES)
          .map((id) => nameOf(t, people.get(id)))
          .join(', ')
        const label = t('message.reaction', {
          emoji: `${emoji} ${userIds.length}`,
          names: userIds.length > MAX_NAMES ? `${names} …` : names,
        })
        return (
          <Tooltip key={emoji} label={label} multiline maw={260}>
            <button
              type="button"
              className={classes['reaction']}
              aria-pressed={mine}
              aria-label={label}
              onClick={() => void react(message.id, emoji, !mine)}
            >
              {emoji} {userIds.length}
            </button>
          </Tooltip>
        )
      })}
    </div>
  )
}

export async function react(messageId: string, emoji: string, wanted: boolean): Promise<void> {
  try {
    await call(`${wanted ? 'PUT' : 'DELETE'} /v1/chat/messages/{messageId}/reactions/{emoji}`, {
      params: { messageId, emoji },
    })
  } catch (error) {
    showProblem(error)
  }
}
