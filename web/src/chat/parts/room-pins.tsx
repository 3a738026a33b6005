import { Loader } from '@mantine/core'
import { IconPin } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { pinsQuery } from '../client/queries.ts'
import { useTexts } from '../locales/index.ts'
import { MessageEntry } from './message-entry.tsx'
import { Empty } from './page-head.tsx'
import classes from './pages.module.css'

interface RoomPinsProps {
  readonly roomId: string
  readonly onOpen: () => void
}

/** The pinned messages of a room. */
export function RoomPins({ roomId, onOpen }: RoomPinsProps) {
  const t = useTexts()
  const { data, isPending } = useQuery(pinsQuery(roomId))
  if (isPending) return <Loader m="auto" />
  if (data === undefined || data.length === 0) {
    return (
      <Empty
        icon={<IconPin size={28} aria-hidden />}
        title={t('details.noPins')}
        detail={t('details.noPinsDetail')}
      />
    )
  }
  return (
    <ul className={classes['list']}>
      {data.map((message) => (
        <MessageEntry key={message.id} message={message} showsRoom={false} onOpen={onOpen} />
      ))}
    </ul>
  )
}
