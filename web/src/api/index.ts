/** The server, as the pages see it. */
export { type Answer, addressOf, type Body, call } from './client.ts'
export { Problem } from './problem.ts'
export {
  lastEnding,
  queryClient,
  refreshSession,
  type Session,
  SessionProvider,
  sessionEnded,
  signOut,
  useSession,
  useSessionState,
} from './session.ts'
export { onStepUp } from './step-up.ts'
