export { athenaDdl, glueTable } from './render.ts'
export { type OuterTable, type OuterTableOptions, outerTable } from './shape.ts'
