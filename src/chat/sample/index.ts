/** The sample workspace, created with the same functions that its people would use. */
import { Readable } from 'node:stream'
import { AkashiError, given } from '../../foundation/index.ts'
import {
  type AccountName,
  accountsOfTenant,
  createLocalUser,
  eraseUser,
  type Passwords,
} from '../../identity/index.ts'
import type { Keyring, PersonVault } from '../../keys/index.ts'
import type { ObjectStore } from '../../object-store/index.ts'
import { type Actor, type Database, type Person, person } from '../../postgres/index.ts'
import { uploadFile } from '../files/upload.ts'
import { answerInvitation, invite } from '../members.ts'
import { editMessage, postMessage, setReaction } from '../messages.ts'
import { createRoom, deleteRoom, joinRoom, listRooms, openDirectRoom } from '../rooms.ts'
import { direct, type Line, notes, people, rooms, type Who } from './script.ts'

/** The tenant of its people, by which they are found again. */
const TENANT = 'sample'

export interface SampleParts {
  /** Of the role `app`: acts for the sample's people. */
  readonly app: Database
  /** Of the role `worker`: creates and erases accounts. */
  readonly worker: Database
  readonly vault: PersonVault
  readonly passwords: Passwords
  readonly keyring: Keyring
  readonly store: ObjectStore
  /** Who adds or removes it. */
  readonly actor: Actor
}

export interface SamplePerson {
  readonly username: string
  readonly displayName: string
  /** Shown only once. */
  readonly oneTimePassword: string
}

/** @throws conflict when it exists already */
export async function addSample(parts: SampleParts): Promise<readonly SamplePerson[]> {
  if ((await samplePeople(parts)).length > 0) {
    throw new AkashiError('conflict', 'the sample workspace already exists', {
      hint: 'remove it first: akashi sample remove',
    })
  }
  const accounts: SamplePerson[] = []
  const actors = new Map<Who, Person>()
  for (const who of Object.keys(people) as Who[]) {
    const displayName = people[who]
    const { id, password } = await createLocalUser(parts, parts.actor, {
      username: who,
      displayName,
      email: `${who}@sample.example.com`,
      tenantId: TENANT,
    })
    actors.set(who, person({ userId: id }, parts.actor.origin))
    accounts.push({ username: who, displayName, oneTimePassword: password })
  }
  const actorOf = (who: Who) => {
    const actor = actors.get(who)
    if (actor === undefined) throw new AkashiError('internal', `${who} is not in the sample`)
    return actor
  }
  for (const { name, description, type, members, lines } of rooms) {
    const [owner, ...others] = members
    const room = await createRoom(parts.app, actorOf(owner), { name, description, type })
    for (const other of others) {
      if (type === 'public') await joinRoom(parts.app, actorOf(other), room.id)
      else {
        const invitation = await invite(parts.app, actorOf(owner), room.id, actorOf(other).userId)
        await answerInvitation(parts.app, actorOf(other), invitation, true)
      }
    }
    await talk(parts, room.id, lines, actorOf)
  }
  const [one, other] = direct.between
  const pair = await openDirectRoom(parts.app, actorOf(one), actorOf(other).userId)
  await talk(parts, pair.id, direct.lines, actorOf)
  return accounts
}

async function talk(
  { app, store }: SampleParts,
  roomId: string,
  lines: readonly Line[],
  actorOf: (who: Who) => Person,
): Promise<void> {
  const named = new Map<string, string>()
  for (const line of lines) {
    const actor = actorOf(line.by)
    const fileId = line.file === undefined ? undefined : await attach(app, store, actor, roomId, line.file)
    const replyToId = line.to === undefined ? undefined : named.get(line.to)
    const { id } = await postMessage(app, actor, roomId, {
      content: line.says,
      mentions: (line.mentions ?? []).map((who) => actorOf(who).userId),
      ...given({ fileId, replyToId }),
    })
    if (line.at !== undefined) named.set(line.at, id)
    if (line.corrected !== undefined) await editMessage(app, actor, id, { content: line.corrected })
    for (const [who, emoji] of line.reactions ?? []) await setReaction(app, actorOf(who), id, emoji, true)
  }
}

async function attach(
  app: Database,
  store: ObjectStore,
  actor: Actor,
  roomId: string,
  which: NonNullable<Line['file']>,
): Promise<string> {
  const [name, mimeType, bytes] =
    which === 'notes'
      ? (['restore-drill.txt', 'text/plain', Buffer.from(notes)] as const)
      : (['四半期 quarter.png', 'image/png', await chart()] as const)
  const file = await uploadFile(app, store, actor, roomId, { name, mimeType, bytes: Readable.from([bytes]) })
  return file.id
}

/** A generated bar chart. */
async function chart(): Promise<Buffer> {
  const { default: sharp } = await import('sharp')
  const bars = [62, 84, 71, 96, 88, 120, 133, 128, 149, 162, 158, 181]
  const drawn = bars
    .map(
      (height, at) =>
        `<rect x="${40 + at * 62}" y="${260 - height}" width="40" height="${height}" rx="4" fill="#2f6f8f"/>`,
    )
    .join('')
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="820" height="320"><rect width="820" height="320" fill="#f7f9fa"/>${drawn}<path d="M30 262h760" stroke="#90a4ae" stroke-width="2"/></svg>`
  return await sharp(Buffer.from(svg)).png().toBuffer()
}

async function samplePeople({
  worker,
  actor,
}: Pick<SampleParts, 'worker' | 'actor'>): Promise<readonly AccountName[]> {
  return await worker.transaction(actor, (session) => accountsOfTenant(session, TENANT))
}

/** Deletes its rooms and erases its people. Returns the number of people. */
export async function removeSample(parts: SampleParts): Promise<number> {
  const found = await samplePeople(parts)
  for (const { id } of found) {
    const actor = person({ userId: id }, parts.actor.origin)
    for (const room of await listRooms(parts.app, actor)) {
      if (room.role === 'owner') await deleteRoom(parts.app, actor, room.id)
    }
  }
  for (const { id, username } of found) {
    await eraseUser({ database: parts.worker, keyring: parts.keyring }, parts.actor, id, {
      confirm: username,
      reason: 'the sample workspace was removed',
    })
  }
  return found.length
}
