import { describe, expect, it } from 'vitest'
import { describeTable } from '../support/catalog.ts'
import { testDatabase } from '../support/index.ts'

/** The tables of the chat requirements, with the columns of their ER diagram. */
const database = testDatabase()
const table = (name: string) => database.asSuperuser((session) => describeTable(session, name))
const choice = (...values: string[]) =>
  expect.stringMatching(new RegExp(values.map((value) => `'${value}'`).join('.*')))
const NOW = 'timestamp with time zone not null = now()'
const CLASSIFICATION = "character varying(50) not null = 'internal'::character varying"

async function checks(name: string): Promise<string[]> {
  const { rows } = await database.asSuperuser((session) =>
    session.query<{ text: string }>(
      `select pg_get_constraintdef(oid) as text from pg_constraint where conrelid = $1::regclass and contype in ('c', 'f', 'u') order by 1`,
      [name],
    ),
  )
  return rows.map(({ text }) => text)
}

describe('the tables of the chat', () => {
  it('rooms', async () => {
    const { columns, indexes } = await table('akashi_chat.rooms')
    expect(columns).toMatchObject({
      id: 'uuid not null = gen_random_uuid()',
      name: 'character varying(100) not null',
      description: 'text',
      room_type: "character varying(20) not null = 'public'::character varying",
      max_members: 'integer not null = 100',
      created_by: 'uuid',
      is_active: 'boolean not null = true',
      is_deleted: 'boolean not null = false',
      created_at: NOW,
      updated_at: NOW,
      last_modified_by: 'character varying(255)',
      security_classification: CLASSIFICATION,
      compliance_tags: "jsonb not null = '{}'::jsonb",
    })
    expect(indexes).toEqual(
      expect.arrayContaining([
        'btree (room_type, is_active, is_deleted)',
        'btree (created_by)',
        'btree (created_at)',
      ]),
    )
    expect(await checks('akashi_chat.rooms')).toEqual(
      expect.arrayContaining([
        choice('public', 'private', 'direct'),
        'CHECK (((max_members >= 1) AND (max_members <= 1000)))',
        'CHECK (((length((name)::text) >= 1) AND (length((name)::text) <= 100)))',
        'FOREIGN KEY (created_by) REFERENCES akashi_auth.users(id) ON DELETE SET NULL',
      ]),
    )
  })

  it('messages', async () => {
    const { columns, indexes } = await table('akashi_chat.messages')
    expect(columns).toMatchObject({
      id: 'uuid not null',
      room_id: 'uuid not null',
      user_id: 'uuid',
      content: 'text not null',
      message_type: "character varying(20) not null = 'text'::character varying",
      file_upload_id: 'uuid',
      reply_to_id: 'uuid',
      is_edited: 'boolean not null = false',
      is_deleted: 'boolean not null = false',
      created_at: 'timestamp with time zone not null',
      updated_at: NOW,
      security_classification: CLASSIFICATION,
      content_encrypted: 'boolean not null = false',
    })
    expect(indexes).toEqual(
      expect.arrayContaining([
        'unique btree (id, created_at)',
        'btree (room_id, created_at DESC)',
        'btree (user_id, created_at DESC)',
        expect.stringMatching(/^btree \(reply_to_id\)/),
        expect.stringMatching(/^btree \(file_upload_id\)/),
        expect.stringMatching(/^gin \(akashi_auth\.ngrams/),
      ]),
    )
    expect(await checks('akashi_chat.messages')).toEqual(
      expect.arrayContaining([
        choice('text', 'image', 'file', 'system'),
        expect.stringContaining('length(content) <= 4000'),
        'FOREIGN KEY (room_id, content_encrypted) REFERENCES akashi_chat.rooms(id, is_encrypted) ON DELETE CASCADE',
        'FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE SET NULL',
        'FOREIGN KEY (file_upload_id) REFERENCES akashi_chat.file_uploads(id) ON DELETE SET NULL',
      ]),
    )
  })

  it('messages, cut by months that exist ahead of time', async () => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ name: string }>(
        `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'akashi_chat.messages'::regclass`,
      ),
    )
    const months = [0, 1, 2, 3].map((ahead) => {
      const day = new Date()
      const month = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + ahead, 1))
      return `akashi_chat.messages_${month.toISOString().slice(0, 7).replace('-', '_')}`
    })
    expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining(months))
  })

  it('room_members', async () => {
    const { columns, indexes } = await table('akashi_chat.room_members')
    expect(columns).toMatchObject({
      id: 'uuid not null = gen_random_uuid()',
      room_id: 'uuid not null',
      user_id: 'uuid not null',
      role: "character varying(20) not null = 'member'::character varying",
      joined_at: NOW,
      left_at: 'timestamp with time zone',
      is_active: 'boolean not null = true',
      created_at: NOW,
      updated_at: NOW,
    })
    expect(indexes).toEqual(
      expect.arrayContaining([
        'unique btree (room_id, user_id)',
        'btree (room_id, is_active)',
        'btree (user_id, is_active)',
        'btree (room_id, role)',
      ]),
    )
    expect(await checks('akashi_chat.room_members')).toEqual(
      expect.arrayContaining([
        choice('owner', 'admin', 'member'),
        'FOREIGN KEY (room_id) REFERENCES akashi_chat.rooms(id) ON DELETE CASCADE',
        'FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE',
      ]),
    )
  })

  it('file_uploads', async () => {
    const { columns, indexes } = await table('akashi_chat.file_uploads')
    expect(columns).toMatchObject({
      id: 'uuid not null = gen_random_uuid()',
      user_id: 'uuid not null',
      original_name: 'character varying(255) not null',
      file_name: 'character varying(255) not null',
      file_size: 'bigint not null',
      mime_type: 'character varying(100) not null',
      file_path: 'text not null',
      thumbnail_path: 'text',
      upload_status: "character varying(20) not null = 'processing'::character varying",
      is_deleted: 'boolean not null = false',
      virus_scanned: 'boolean not null = false',
      security_classification: CLASSIFICATION,
      created_at: NOW,
      updated_at: NOW,
    })
    expect(indexes).toEqual(
      expect.arrayContaining([
        'btree (user_id, created_at DESC)',
        'btree (upload_status, created_at)',
        'btree (mime_type)',
        'btree (created_at)',
      ]),
    )
    expect(await checks('akashi_chat.file_uploads')).toEqual(
      expect.arrayContaining([
        choice('processing', 'completed', 'failed'),
        'CHECK (((file_size >= 1) AND (file_size <= 104857600)))',
        'FOREIGN KEY (user_id) REFERENCES akashi_auth.users(id) ON DELETE CASCADE',
      ]),
    )
  })

  it('notifications, preferences, reactions and invitations', async () => {
    expect((await table('akashi_chat.notifications')).columns).toMatchObject({
      delivery_status: "character varying(20) not null = 'pending'::character varying",
      delivered_at: 'timestamp with time zone',
      read_at: 'timestamp with time zone',
    })
    expect((await table('akashi_chat.user_preferences')).columns).toMatchObject({
      show_presence: 'boolean not null = true',
      direct_messages: "character varying(20) not null = 'everyone'::character varying",
    })
    expect((await table('akashi_chat.message_reactions')).indexes).toContain(
      'unique btree (message_id, user_id, emoji)',
    )
    expect(await checks('akashi_chat.room_invitations')).toEqual(
      expect.arrayContaining([choice('pending', 'accepted', 'declined', 'revoked')]),
    )
  })

  it.each(['rooms', 'messages'])('%s are under audit', async (name) => {
    const { rows } = await database.asSuperuser((session) =>
      session.query<{ name: string }>(
        `select tgname as name from pg_trigger
         where tgrelid = $1::regclass and tgfoid = 'akashi_audit.log_changes'::regproc order by 1`,
        [`akashi_chat.${name}`],
      ),
    )
    expect(rows.map((row) => row.name)).toEqual([
      'akashi_audit_delete',
      'akashi_audit_insert',
      'akashi_audit_truncate',
      'akashi_audit_update',
    ])
  })

  it('keep when and by whom a row last changed', async () => {
    for (const name of [
      'rooms',
      'room_members',
      'messages',
      'file_uploads',
      'room_invitations',
      'notifications',
      'user_preferences',
    ]) {
      const { rows } = await database.asSuperuser((session) =>
        session.query(
          `select from pg_trigger where tgrelid = $1::regclass and tgname = 'update_updated_at'`,
          [`akashi_chat.${name}`],
        ),
      )
      expect(rows, name).toHaveLength(1)
    }
  })
})
