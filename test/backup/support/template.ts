/** A cluster that tests copy: initdb is a second or two for each, and databases that nobody uses are backed up too. */
import { spawnSync } from 'node:child_process'
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { inject } from 'vitest'
import { startEmbedded } from '../../../src/postgres/index.ts'
import { dropSpareDatabases, FAST } from '../../support/embedded.ts'

/** Lays a cluster into an empty data folder: the database `postgres` alone, and no server on it. */
export async function layCluster(dataDir: string): Promise<void> {
  const template = join(inject('templates'), 'backup')
  if (!copy(template, dataDir)) {
    await makeTemplate(template)
    if (!copy(template, dataDir)) throw new Error(`there is no cluster to copy in ${template}`)
  }
}

function copy(from: string, to: string): boolean {
  return spawnSync('cp', ['-a', join(from, 'postgres'), to]).status === 0
}

async function makeTemplate(template: string): Promise<void> {
  const draft = await mkdtemp(`${template}-`)
  await chmod(draft, 0o711)
  const server = await startEmbedded({ dataDir: draft, port: 0, settings: FAST })
  try {
    await dropSpareDatabases(server.url('postgres'))
  } finally {
    await server.stop()
  }
  // Another test file may have been first: then this one goes with the run.
  await rename(draft, template).catch(() => rm(draft, { recursive: true, force: true }))
}
