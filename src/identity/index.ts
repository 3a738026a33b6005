export * from './api-keys/index.ts'
export * from './policies/index.ts'
export * from './roles/index.ts'
export * from './service-accounts/index.ts'
