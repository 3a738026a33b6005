export { type Lineage, lineageOf } from './lineage.ts'
