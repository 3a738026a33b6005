export { type Connections, findConnections } from './connections.ts'
export { prepareCluster } from './prepare-cluster.ts'
