export { analyzeChanged } from './analyze.ts'
export { bloatedIndexes, leftIndexes, reindexBloated } from './reindex.ts'
export { maintenanceTasks } from './tasks.ts'
export { vacuumOverdue } from './vacuum.ts'
