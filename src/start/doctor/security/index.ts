export { logins, passwords } from './logins.ts'
export { rowSecurity } from './row-security.ts'
export { serverSettings } from './server-settings.ts'
export { transport } from './transport.ts'
