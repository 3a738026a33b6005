/** The server, as the pages see it. */
export { type Answer, addressOf, type Body, call, type Given, type Operation } from './client.ts'
export { Problem } from './problem.ts'
export {
  lastEnding,
  queryClient,
  refreshSession,
  type Session,
  sessionEnded,
  signOut,
  useSession,
  useSessionState,
} from './session.ts'
export { onStepUp } from './step-up.ts'
