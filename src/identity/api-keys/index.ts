export { API_KEY_PATTERN, looksLikeApiKey, parseApiKey } from './format.ts'
export {
  type ApiKeyRequest,
  createApiKey,
  listApiKeys,
  type Rotation,
  revokeApiKey,
  rotateApiKey,
} from './manage.ts'
export { type ApiKeyCaller, flushApiKeyUses, verifyApiKey } from './verify.ts'
