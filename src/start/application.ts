/**
 * Registers an application in Akashi's database: a login of its own, and a key that signs its request
 * contexts.
 */
import { AkashiError } from '../foundation/index.ts'
import { createContextKey } from '../identity/index.ts'
import { type Actor, asAdministrator, createLogin, dropLogin, randomPassword } from '../postgres/index.ts'
import { findConnections } from './connections.ts'
import { urlOf } from './init.ts'
import type { Settings } from './settings.ts'

export interface ApplicationAccess {
  readonly application: string
  readonly login: string
  /** With the password. */
  readonly databaseUrl: string
  readonly contextKeyId: string
  readonly contextKey: string
}

/** Leaves room for the suffix of a login. */
const APPLICATION = /^[a-z][a-z0-9_-]{0,58}$/

/** It may use contexts, record, and read what is the application's own in the trail, and has no rights over any table. */
const ROLE = 'akashi_client'

/**
 * Creates both the login and the key, or neither.
 *
 * @param options.login by default the name with the suffix `_app`
 * @throws invalid_input, already_exists for an existing login, forbidden if the administrator lacks the
 * rights
 */
export async function createApplication(
  settings: Settings,
  options: {
    readonly application: string
    readonly login?: string
    readonly actor: Actor
    readonly signal: AbortSignal
  },
): Promise<ApplicationAccess> {
  const { application, actor, signal } = options
  if (!APPLICATION.test(application) || application === 'akashi') {
    throw new AkashiError('invalid_input', `${JSON.stringify(application)} is not a valid application name`, {
      hint: 'use lowercase letters, digits, - and _, at most 59 characters, and not akashi',
    })
  }
  const login = options.login ?? `${application.replaceAll('-', '_')}_app`
  const connections = await findConnections(settings, null)
  const url = connections.adminUrl
  const password = randomPassword()
  const admin = <T>(work: Parameters<typeof asAdministrator<T>>[1]) =>
    asAdministrator({ url, applicationName: 'akashi app', signal }, work)
  await admin((session) => createLogin(session, { login, password, role: ROLE }))
  const owner = connections.open('owner', { poolSize: 1 })
  try {
    const { id, key } = await createContextKey(owner, actor, { application, login })
    const address = settings.databaseUrl ?? url
    return {
      application,
      login,
      databaseUrl: urlOf(address, login, password),
      contextKeyId: id,
      contextKey: key,
    }
  } catch (error) {
    await admin((session) => dropLogin(session, login))
    throw error
  } finally {
    await owner.close()
  }
}
