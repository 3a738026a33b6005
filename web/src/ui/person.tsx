import { Avatar } from '@mantine/core'

interface PersonProps {
  readonly name: string
  readonly url?: string | null
  readonly size?: number
}

/** Somebody's picture where it is on this server, else their initials. No other server is asked for anything. */
export function Person({ name, url = null, size = 32 }: PersonProps) {
  return (
    <Avatar
      src={isOurs(url) ? url : null}
      alt=""
      name={name}
      color="initials"
      size={size}
      radius="xl"
      aria-hidden
    />
  )
}

function isOurs(url: string | null): url is string {
  return url !== null && URL.canParse(url) && new URL(url).origin === location.origin
}
