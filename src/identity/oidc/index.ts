export { type Flow, finishFlow, flowSchema, type OidcIdentity, startFlow } from './authorization.ts'
export { type BearerIdentity, looksLikeJwt, verifyBearer } from './bearer.ts'
export { type Issuer, issuerForms, openIssuer } from './issuer.ts'
