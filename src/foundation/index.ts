export * from './clock.ts'
export * from './errors.ts'
export * from './files.ts'
export * from './ids.ts'
