export * from './erasure/index.ts'
export * from './users/index.ts'
