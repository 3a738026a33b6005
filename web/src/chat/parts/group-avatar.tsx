import type { Person } from '@akashi/contract'
import { Avatar } from '../../ui/index.ts'
import classes from './group-avatar.module.css'

interface GroupAvatarProps {
  readonly people: readonly Person[]
  readonly size: number
}

/** The pictures of two people of a group, one over the other, and how many people more there are. */
export function GroupAvatar({ people, size }: GroupAvatarProps) {
  const [first, second] = people
  const part = Math.round(size * 0.68)
  return (
    <span className={classes['group']} style={{ width: size, height: size }} aria-hidden>
      {first !== undefined && <Avatar name={first.displayName} url={first.avatarUrl} size={part} />}
      {second !== undefined && (
        <span className={classes['over']}>
          <Avatar name={second.displayName} url={second.avatarUrl} size={part} />
        </span>
      )}
    </span>
  )
}
