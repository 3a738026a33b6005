import type { Person } from '@akashi/contract'
import { Button } from '@mantine/core'
import { IconMessage } from '@tabler/icons-react'
import { useEffect } from 'react'
import { useChat, useObserved } from '../client/context.tsx'
import { nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import { PersonAvatar } from './person-avatar.tsx'
import classes from './person-card.module.css'
import { useDirect } from './use-direct.ts'

/** The content of a person's card. */
export function PersonFacts({ person, onLeave }: { readonly person: Person; readonly onLeave: () => void }) {
  const t = useTexts()
  const chat = useChat()
  const { open, busy } = useDirect()
  const status = useObserved(chat.presence).get(person.id)
  useEffect(() => {
    void chat.watch([person.id]).catch(() => undefined)
  }, [chat, person.id])
  return (
    <>
      <div className={classes['who']}>
        <PersonAvatar person={person} size={56} status={status} />
        <div className={classes['texts']}>
          <bdi className={classes['name']}>{nameOf(t, person)}</bdi>
          <bdi className={classes['username']}>@{person.username}</bdi>
          {status !== undefined && <span className={classes['username']}>{t(`presence.${status}`)}</span>}
        </div>
      </div>
      {person.id !== chat.me.id && (
        <Button
          fullWidth
          size="xs"
          variant="light"
          loading={busy}
          leftSection={<IconMessage size={16} />}
          onClick={() => void open(person).then((done) => done && onLeave())}
        >
          {t('card.message')}
        </Button>
      )}
    </>
  )
}
