import { chatSocket } from '../../realtime/socket.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'
import { avatarRoutes } from './avatars.ts'
import { fileRoutes } from './files.ts'
import { keptRoutes } from './kept.ts'
import { memberRoutes } from './members.ts'
import { messageRoutes } from './messages.ts'
import { peopleRoutes } from './people.ts'
import { reviewRoutes } from './review.ts'
import { roomRoutes } from './rooms.ts'

/** Everything under /v1/chat. */
export function chatRoutes(app: App, services: Services): void {
  chatSocket(app, services)
  roomRoutes(app, services)
  fileRoutes(app, services)
  avatarRoutes(app, services)
  memberRoutes(app, services)
  messageRoutes(app, services)
  keptRoutes(app, services)
  peopleRoutes(app, services)
  reviewRoutes(app, services)
}
