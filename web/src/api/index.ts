/** The server's API as the pages use it. */
export { isAttended, onReturn, whenAttended } from './activity.ts'
export { addressOf, call, callText, sendFile } from './client.ts'
export {
  addPasskey,
  askPasskey,
  hasPasskeys,
  isDismissedPasskey,
  isKnownPasskey,
  type PasskeyProof,
} from './passkeys.ts'
export { useMay } from './permissions.ts'
export { Problem, problemIn, unreachable } from './problem.ts'
export { profileQuery } from './profile.ts'
export {
  endSession,
  lastSessionEnd,
  queryClient,
  refreshSession,
  type Session,
  SessionProvider,
  signOut,
  useSession,
  useSessionState,
} from './session.ts'
export { isDismissedStepUp, onStepUp } from './step-up.ts'
