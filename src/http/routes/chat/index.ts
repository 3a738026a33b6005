import { chatSocket } from '../../realtime/socket.ts'
import type { App } from '../../schema.ts'
import type { Services } from '../../services.ts'
import { fileRoutes } from './files.ts'
import { memberRoutes } from './members.ts'
import { messageRoutes } from './messages.ts'
import { peopleRoutes } from './people.ts'
import { roomRoutes } from './rooms.ts'
import { searchRoute } from './search.ts'

/** Everything under /v1/chat. */
export function chatRoutes(v1: App, services: Services): void {
  chatSocket(v1, services)
  v1.register(
    (app: App, _, done) => {
      roomRoutes(app, services)
      fileRoutes(app, services)
      memberRoutes(app, services)
      messageRoutes(app, services)
      peopleRoutes(app, services)
      searchRoute(app, services)
      done()
    },
    { prefix: '/chat' },
  )
}
