/** What Aurora Serverless v2 admits by its default, by highest capacity in units (Aurora's user guide). */
const CONNECTIONS: readonly (readonly [units: number, connections: number])[] = [
  [32, 5_000],
  [16, 3_360],
  [8, 1_669],
  [4, 823],
  [1, 189],
]
/** With a lowest capacity up to this many units, no more than that many connections. */
const SMALL = { units: 0.5, connections: 2_000 }

/** The connections that each instance admits; between two sizes that are documented, those of the smaller one. */
export function maxConnections({
  minCapacity,
  maxCapacity,
}: {
  readonly minCapacity: number
  readonly maxCapacity: number
}): number {
  const [, connections = 0] = CONNECTIONS.find(([units]) => units <= maxCapacity) ?? []
  return minCapacity <= SMALL.units ? Math.min(connections, SMALL.connections) : connections
}
