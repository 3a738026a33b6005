import type { Message } from '@akashi/contract'
import { describe, expect, it } from 'vitest'
import { rowsOf } from '../../../web/src/chat/model/rows.ts'
import { aoi, FakeServer, ken } from './fake-server.ts'

const options = { me: aoi.id, readTo: null, dayOf: (time: string) => time.slice(0, 10) }
const at = (message: Message, createdAt: string): Message => ({ ...message, createdAt })

describe('the rows of a history', () => {
  const server = new FakeServer()
  const messages = [
    at(server.post(ken, { content: '1' }), '2026-01-01T10:00:00.000Z'),
    at(server.post(ken, { content: '2' }), '2026-01-01T10:01:00.000Z'),
    at(server.post(ken, { content: '3' }), '2026-01-01T10:20:00.000Z'),
    at(server.post(aoi, { content: '4', clientId: 'mine' }), '2026-01-02T00:00:00.000Z'),
  ]

  it('have a line for every day, and one name over what was said in one go', () => {
    const rows = rowsOf(messages, [], options)
    expect(rows.map(({ kind }) => kind)).toEqual(['day', 'message', 'message', 'message', 'day', 'message'])
    expect(rows.flatMap((row) => (row.kind === 'message' ? [row.continued] : []))).toEqual([
      false,
      true,
      false,
      false,
    ])
  })

  it('have a line before the first that was not read', () => {
    const rows = rowsOf(messages, [], { ...options, readTo: '2026-01-01T10:00:30.000Z' })
    expect(rows.map(({ kind }) => kind)).toEqual([
      'day',
      'message',
      'unread',
      'message',
      'message',
      'day',
      'message',
    ])
  })

  it('keep their keys when the server’s copy comes, and never share one', () => {
    const stolen = at(server.post(ken, { content: '5', clientId: 'mine' }), '2026-01-02T00:00:01.000Z')
    const keys = rowsOf([...messages, stolen], [], options).map(({ key }) => key)
    expect(keys).toContain('mine')
    expect(new Set(keys).size).toBe(keys.length)
  })
})
