/** Chat: `/v1/chat`. */
import { avatarOperations } from './avatars.ts'
import { fileOperations } from './files.ts'
import { messageOperations } from './messages.ts'
import { peopleOperations } from './people.ts'
import { reviewOperations } from './review.ts'
import { roomOperations } from './rooms.ts'

export type { ChatFile } from './files.ts'
export {
  type HistoryPage,
  type Message,
  type MessageChange,
  type MessageSearch,
  type MissedEvents,
  messageChange,
  type NewMessage,
  newMessage,
  type RoomEvent,
  type SearchPage,
} from './messages.ts'
export {
  type Notification,
  type NotificationPage,
  type Person,
  type PreferenceChanges,
  type Preferences,
  type Presence,
  preferenceChanges,
} from './people.ts'
export type { EarlierText, ReviewedMessage } from './review.ts'
export {
  type DirectoryPage,
  type DirectoryRoom,
  type Invitation,
  type Member,
  type NewRoom,
  newRoom,
  type Room,
  type RoomChanges,
  roomChanges,
} from './rooms.ts'
export {
  type ClientFrame,
  type ClientNotice,
  type ClientRequest,
  clientFrame,
  type ServerFrame,
} from './socket.ts'

export const chatOperations = {
  ...roomOperations,
  ...avatarOperations,
  ...fileOperations,
  ...messageOperations,
  ...peopleOperations,
  ...reviewOperations,
}
