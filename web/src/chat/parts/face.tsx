import type { PresenceStatus, Person as Somebody } from '@akashi/contract'
import { Person } from '../../ui/index.ts'
import { nameOf } from '../client/text.ts'
import { useTexts } from '../locales/index.ts'
import classes from './face.module.css'

interface FaceProps {
  readonly person: Somebody | null
  readonly size: number
  readonly status?: PresenceStatus
}

/** Somebody's picture, and whether they are there. */
export function Face({ person, size, status }: FaceProps) {
  const t = useTexts()
  return (
    <span className={classes['face']}>
      <Person name={nameOf(t, person)} url={person?.avatarUrl ?? null} size={size} />
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
