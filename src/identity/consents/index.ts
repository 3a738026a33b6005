export { decideConsent, readConsents } from './consents.ts'
