import type { Person, PresenceStatus } from '@akashi/contract'
import { Avatar } from '../../ui/index.ts'
import { nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import classes from './person-avatar.module.css'

interface PersonAvatarProps {
  readonly person: Person | null
  readonly size: number
  readonly status?: PresenceStatus | undefined
}

/** A person's picture, with a dot for their presence. */
export function PersonAvatar({ person, size, status }: PersonAvatarProps) {
  const t = useTexts()
  return (
    <span className={classes['avatar']}>
      <Avatar name={nameOf(t, person)} url={person?.avatarUrl ?? null} size={size} />
      {status !== undefined && status !== 'offline' && (
        <span
          className={classes['dot']}
          data-status={status}
          role="img"
          aria-label={t(`presence.${status}`)}
          title={t(`presence.${status}`)}
        />
      )}
    </span>
  )
}
