export { removeCluster } from './remove.ts'
export { startEmbedded } from './start.ts'
export { clusterStatus } from './status.ts'
export type { ClusterStatus, EmbeddedOptions, EmbeddedServer, ServerExit } from './types.ts'
