/** Access reviews: who signs what off, what that does, and who cannot forge it. */
import { beforeAll, describe, expect, it } from 'vitest'
import { accessReviewOwed, openAccessReview } from '../../src/identity/index.ts'
import { identityTasks, watchAlarms } from '../../src/operations/index.ts'
import { operator, person, system } from '../../src/postgres/index.ts'
import { testStore } from '../lifecycle/support/archive.ts'
import { keepingLog } from '../operations/keeping-log.ts'
import { testDatabase } from '../support/index.ts'
import { type Browser, testServer } from './server.ts'
import { testKeyring } from './support.ts'

const DAY_MS = 86_400_000
const database = testDatabase()
const application = database.open('app')
const owner = database.open('owner')
const worker = database.open('worker')
const keys = testKeyring()
const place = testStore()
const server = testServer(database)
const people: Record<'hana' | 'jun', { id: string; browser: Browser }> = {} as never
let app: ReturnType<typeof server.app>
let review = ''

interface Item {
  readonly id: string
  readonly userId: string | null
  readonly kind: string
  readonly title: string
  readonly decision: string | null
  readonly gaveIt: boolean | null
  readonly ended: boolean
}

const ask = async <R>(text: string, values: unknown[] = []) =>
  (await database.asSuperuser((session) => session.query<R>(text, values))).rows
const items = async (): Promise<Item[]> =>
  (await people.hana.browser.send('GET', `/v1/access-reviews/${review}`)).json().items
const itemOf = async (userId: string, title: string) =>
  (await items()).find((each) => each.userId === userId && each.title.includes(title))?.id ?? ''
const decide = (by: Browser, item: string, decision: string, reason = 'needed for the shop') =>
  by.send('POST', `/v1/access-reviews/${review}/items/${item}`, { decision, reason })

beforeAll(async () => {
  await ask(`update akashi_auth.security_policies set value = '[]' where key = 'mfa.required_tiers'`)
  app = server.app()
  for (const name of ['hana', 'jun'] as const) {
    const id = await server.user(name, { role: 'sys_admin' })
    const browser = server.browser(app)
    await browser.signIn(name)
    people[name] = { id, browser }
  }
  await people.hana.browser.send('PUT', `/v1/users/${people.jun.id}/roles/sys_auditor`, {})
  return () => app.close()
})

describe('a review', () => {
  it('is opened by its job with every right but the role that all have, and once', async () => {
    const task = identityTasks(keys.keyring)['identity.open_access_review']
    const context = {
      worker,
      actor: system('access-review'),
      signal: new AbortController().signal,
      log: keepingLog(),
      onProgress: () => undefined,
    }
    const opened = await task?.(context)
    review = String(opened?.['review'])
    expect(await task?.(context)).toEqual({ skipped: 'a review is already open' })
    const found = await items()
    expect(
      found.map(({ userId, title }) => `${userId === people.hana.id ? 'hana' : 'jun'} ${title}`).sort(),
    ).toEqual(['hana sys_admin', 'jun sys_admin', 'jun sys_auditor'])
    const again = await people.hana.browser.send('POST', '/v1/access-reviews', {})
    expect(again.statusCode).toBe(409)
    const { rights } = (await people.hana.browser.send('GET', '/v1/access-rights')).json()
    expect(rights).toContainEqual(
      expect.objectContaining({
        holder: 'jun',
        title: 'sys_auditor',
        givenBy: people.hana.id,
        lastUsedAt: expect.any(String),
      }),
    )
  })

  it('is signed off row by row, by somebody else, with a reason that the trail has', async () => {
    const own = await itemOf(people.hana.id, 'sys_admin')
    const auditor = await itemOf(people.jun.id, 'sys_auditor')
    const refused = await decide(people.hana.browser, own, 'keep')
    expect([refused.statusCode, refused.json().detail]).toEqual([403, expect.stringContaining('own rights')])
    expect((await decide(people.hana.browser, auditor, 'keep', ' ')).statusCode).toBe(400)
    expect((await decide(people.hana.browser, auditor, 'revoke', 'not an auditor any more')).statusCode).toBe(
      204,
    )
    expect((await decide(people.hana.browser, auditor, 'keep')).statusCode).toBe(409)
    expect(
      await ask(
        `select from akashi_auth.user_roles g join akashi_auth.roles r on r.id = g.role_id where g.user_id = $1 and r.name = 'sys_auditor'`,
        [people.jun.id],
      ),
    ).toEqual([])
    expect((await items()).find(({ id }) => id === auditor)).toMatchObject({
      decision: 'revoke',
      gaveIt: true,
      ended: true,
    })
    const recorded = await ask<{ user: string; verified: boolean }>(
      `select user_id::text as user, context_verified as verified from akashi_audit.audit_logs
       where table_name = 'access_review_decisions' and operation = 'INSERT'`,
    )
    expect(recorded).toEqual([{ user: people.hana.id, verified: true }])
  })

  it('is owed until the last right is decided on or has ended', async () => {
    const alarmed = async (now = new Date()) =>
      (
        await watchAlarms(
          {
            worker,
            store: place.store,
            keyring: keys.keyring,
            data: undefined,
            folder: process.cwd(),
            certificates: async () => [],
            log: keepingLog(),
          },
          system('alarms'),
          { now },
        )
      ).found.filter(({ condition }) => condition === 'access_review_overdue')
    expect(await alarmed()).toEqual([])
    const late = new Date(Date.now() + 30 * DAY_MS)
    expect(await alarmed(late)).toEqual([
      expect.objectContaining({ detail: expect.stringContaining('2 rights are not signed off'), value: 2 }),
    ])
    expect(
      (await decide(people.hana.browser, await itemOf(people.jun.id, 'sys_admin'), 'keep')).statusCode,
    ).toBe(204)
    expect(
      (await decide(people.jun.browser, await itemOf(people.hana.id, 'sys_admin'), 'keep')).statusCode,
    ).toBe(204)
    expect(await alarmed(late)).toEqual([])
    expect(await alarmed(new Date(Date.now() + 200 * DAY_MS))).toHaveLength(1)
    const [state] = (await people.hana.browser.send('GET', '/v1/access-reviews')).json().reviews
    expect(state).toMatchObject({ items: 3, open: 0, kept: 2, revoked: 1, completedAt: expect.any(String) })
    const [evidence] = await ask(
      `select * from akashi_auth.access_review_evidence(now() - interval '1 hour', now() + interval '1 hour')`,
    )
    expect(evidence).toMatchObject({
      opened: 1n,
      kept: 2n,
      revoked: 1n,
      overdue: 0n,
      days_since_review: 0n,
    })
    expect((await accessReviewOwed(worker, system('alarms'))).open).toBe(0)
  })
})

describe('an attacker', () => {
  const forged = `insert into akashi_auth.access_review_decisions (item_id, decision, reason, decided_at, decided_by, gave_it, seen)
    select i.id, 'keep', 'fine', now(), $1, false, '{}' from akashi_auth.access_review_items i
    left join akashi_auth.access_review_decisions d on d.item_id = i.id where d.item_id is null limit 1`

  it('as the owner, or as an operator at the machine, signs off and changes nothing', async () => {
    const actor = operator({ account: 'mallory', command: 'akashi' })
    review = (await openAccessReview(owner, actor)) ?? ''
    const asOwner = (text: string, values: unknown[] = []) =>
      owner.transaction(actor, (session) => session.query(text, values))
    await expect(asOwner(forged, [people.hana.id])).rejects.toMatchObject({ code: 'forbidden' })
    const left = await itemOf(people.jun.id, 'sys_admin')
    await expect(
      asOwner('select akashi_auth.decide_access($1, $2, $3, $4)', [review, left, 'keep', 'fine']),
    ).rejects.toMatchObject({ code: 'forbidden' })
    for (const table of ['access_reviews', 'access_review_items', 'access_review_decisions']) {
      await expect(asOwner(`delete from akashi_auth.${table}`)).rejects.toMatchObject({ code: 'append_only' })
    }
    await expect(
      asOwner(`update akashi_auth.access_review_decisions set decision = 'keep'`),
    ).rejects.toMatchObject({ code: 'append_only' })
  })

  it('with an ordinary login, or claiming to be an administrator, reads and decides nothing', async () => {
    const stranger = await server.user('ren')
    const left = await itemOf(people.jun.id, 'sys_admin')
    const statements: [string, unknown[]][] = [
      ['select * from akashi_auth.list_access_rights()', []],
      ['select * from akashi_auth.list_access_review($1)', [review]],
      ['select akashi_auth.open_access_review()', []],
      ['select akashi_auth.decide_access($1, $2, $3, $4)', [review, left, 'keep', 'fine']],
      ['select * from akashi_auth.access_rights()', []],
      ['select * from akashi_auth.access_review_items', []],
    ]
    const unsigned = database.open('app', { contextKey: undefined as never })
    const reader = database.open('reader')
    for (const [text, values] of statements) {
      const asked = (by: typeof application, actor: Parameters<typeof by.transaction>[0]) =>
        by
          .transaction(actor, (session) => session.query(text, values))
          .then(
            () => 'done',
            (error: { code: string }) => error.code,
          )
      expect(
        {
          stranger: await asked(application, person({ userId: stranger })),
          claimed: await asked(unsigned, person({ userId: people.hana.id })),
          reader: await asked(reader, system('x')),
        },
        text,
      ).toEqual({ stranger: 'forbidden', claimed: 'forbidden', reader: 'forbidden' })
    }
    // Without a session, even the administrator whose context is signed: a key of theirs, for example.
    await expect(
      application.transaction(person({ userId: people.hana.id }), (session) =>
        session.query('select akashi_auth.decide_access($1, $2, $3, $4)', [review, left, 'keep', 'fine']),
      ),
    ).rejects.toMatchObject({ code: 'forbidden' })
  })
})
