/** The server, as the pages see it. */
export { addressOf, call } from './client.ts'
export { Problem, problemIn, unreachable } from './problem.ts'
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
