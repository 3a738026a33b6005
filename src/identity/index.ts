export * from './users/index.ts'
