export { type Consent, decideConsent, readConsents } from './consents.ts'
