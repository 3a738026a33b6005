import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { foreignTables, tablesOf } from '../../scripts/check-schema-owners.ts'

const known = tablesOf(readFileSync('migrations/schema.sql', 'utf8'))

function refused(path: string, text: string): string[] {
  return foreignTables(path, text, known).map((problem) => problem.replace(/: .*/, ''))
}

const body = (sql: string) => `create function akashi_chat.f() returns void language sql as $$\n${sql}\n$$;`

describe('a context names no table of another', () => {
  test.each([
    ['src/lifecycle/archive/a.ts', "\nquery('select 1 from akashi_audit.ledger_entries')", 2],
    ['src/operations/a.ts', 'query(`select 1\n from akashi_security.security_events e`)', 2],
    ['src/chat/a.ts', '`insert into akashi_auth.users(id) values (1)`', 1],
    ['src/identity/a.ts', "'delete from akashi_keys.digest_salts'", 1],
    ['src/lifecycle/a.ts', "'select 1 from akashi_lifecycle.jobs'", 1],
    ['src/identity/a.ts', "'select value from akashi_lifecycle.settings'", 1],
    ['src/chat/a.ts', '`select 1 from akashi_auth."users"`', 1],
    ['src/chat/a.ts', '`select 1 from "akashi_auth" . "users"`', 1],
    ['migrations/000015_chat_rooms.up.sql', body('select 1 from akashi_auth.users'), 2],
    ['migrations/000015_chat_rooms.up.sql', body("select 'it''s; $' from akashi_auth.users"), 2],
    [
      'migrations/000015_chat_rooms.up.sql',
      'select 1;\n\ncreate view akashi_chat.v as\n select 1 from akashi_auth.users;',
      4,
    ],
    [
      'migrations/000015_chat_rooms.up.sql',
      'create policy p on akashi_chat.rooms using (exists (select from akashi_auth.users));',
      1,
    ],
    ['migrations/000015_chat_rooms.up.sql', 'do $x$ begin perform 1 from akashi_auth.users; end $x$;', 1],
    ['migrations/000019_new.up.sql', 'select 1;', 1],
  ])('%s may not hold %s', (path, text, line) => {
    expect(refused(path, text)).toEqual([`${path}:${line}`])
  })

  test.each([
    ['src/audit/a.ts', "'select 1 from akashi_audit.ledger_entries'"],
    ['src/lifecycle/a.ts', "'select * from akashi_audit.sealed_rows'"],
    ['src/lifecycle/a.ts', "'select akashi_audit.record_action($1)'"],
    [
      'src/lifecycle/a.ts',
      '// reads akashi_audit.ledger_entries\n/** akashi_audit.ledger_heads */\n * akashi_audit.losses',
    ],
    ['src/identity/a.ts', "query('select akashi_lifecycle.setting($1)')"],
    ['src/cli/commands/a.ts', "hint: 'write it as akashi_security.security_events'"],
    ['test/audit/a.test.ts', "'select 1 from akashi_auth.users'"],
    ['migrations/000015_chat_rooms.up.sql', body('-- as akashi_auth.users has it\nselect 1')],
    [
      'migrations/000015_chat_rooms.up.sql',
      'create table akashi_chat.t (id uuid references akashi_auth.users (id));',
    ],
    ['migrations/000015_chat_rooms.up.sql', "insert into akashi_lifecycle.jobs (name) values ('chat');"],
    [
      'migrations/000015_chat_rooms.up.sql',
      'create trigger t after insert on akashi_keys.erasures execute function f();',
    ],
    ['migrations/000015_chat_rooms.down.sql', body('select 1 from akashi_auth.users')],
  ])('%s may hold %s', (path, text) => {
    expect(refused(path, text)).toEqual([])
  })

  test('a table of a schema that nobody owns is refused', () => {
    const problems = foreignTables('src/chat/a.ts', "'akashi_new.things'", new Set(['akashi_new.things']))
    expect(problems).toEqual([
      'src/chat/a.ts:1: no context owns schema akashi_new in scripts/check-schema-owners.ts',
    ])
  })

  test('the dump names tables', () => {
    expect(known).toContain('akashi_audit.ledger_entries')
    expect(known).not.toContain('akashi_audit.sealed_rows')
  })
})
