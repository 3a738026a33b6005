export { openSealer, type Sealer } from './sealed.ts'
export {
  type AuthenticatedSession,
  authenticateSession,
  beginSession,
  listSessions,
  type NewSession,
  renewSession,
  revokeSession,
  revokeSessions,
  type SessionInfo,
  viewSessions,
} from './session.ts'
