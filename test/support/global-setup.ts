import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { migrateUp, openDatabase } from '../../src/postgres/index.ts'
import { startThrowaway } from './embedded-server.ts'
import { CONTEXT_KEY, LOGINS, MIGRATIONS, rolePassword, TEMPLATE } from './settings.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Superuser URL of the server that the run uses, of its database `postgres`. */
    readonly serverUrl: string
    /** Folder for clusters that test files copy, made by the first that needs one; goes with the run. */
    readonly templates: string
  }
}

/**
 * One server for the whole run: the one of AKASHI_TEST_DATABASE_URL (a superuser's; its roles akashi_* get
 * test passwords), else one of our own. A template database has all migrations; test files clone it.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['AKASHI_TEST_DATABASE_URL']
  const server = given === undefined ? await startOwnServer() : { url: given, stop: async () => {} }
  try {
    await prepareTemplate(server.url)
  } catch (error) {
    await server.stop()
    throw error
  }
  const templates = await mkdtemp(join(tmpdir(), 'akashi-templates-'))
  await chmod(templates, 0o711)
  project.provide('serverUrl', server.url)
  project.provide('templates', templates)
  return async () => {
    await server.stop()
    await rm(templates, { recursive: true, force: true })
  }
}

async function startOwnServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const { url, stop } = await startThrowaway()
  return { url: url('postgres'), stop }
}

async function prepareTemplate(serverUrl: string): Promise<void> {
  const server = openDatabase({ url: serverUrl, role: 'owner' })
  const templateUrl = new URL(serverUrl)
  templateUrl.pathname = `/${TEMPLATE}`
  const template = openDatabase({ url: templateUrl.href, role: 'owner' })
  try {
    await server.direct(async (session) => {
      await session.query(`drop database if exists ${TEMPLATE}`)
      await session.query(`create database ${TEMPLATE}`)
    })
    await migrateUp({ url: templateUrl.href, directory: MIGRATIONS })
    await template.direct(async (session) => {
      for (const role of LOGINS) {
        await session.query(`alter role akashi_${role} password '${rolePassword(role)}'`)
      }
      await session.query("select akashi_auth.add_context_key($1, $2, 'akashi', null)", [
        CONTEXT_KEY.id,
        CONTEXT_KEY.secret,
      ])
    })
  } finally {
    await template.close()
    await server.close()
  }
}
