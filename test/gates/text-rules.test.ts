import { describe, expect, test } from 'vitest'
import { findViolations } from '../../scripts/check-text.ts'

function rulesBroken(path: string, text: string): string[] {
  return findViolations(path, text).map((found) => found.rule)
}

const host = ['registry', 'example', 'org'].join('.')
const home = ['', 'home', 'someone', 'akashi'].join('/')

describe('text rules', () => {
  test.each([
    ['src/audit/a.ts', 'const x = process.env["HOME"]', 'environment'],
    ['src/cli/commands/up.ts', 'read(process.env)', 'environment'],
    ['src/audit/a.ts', "import { env } from 'node:process'", 'environment'],
    ['src/audit/a.ts', "process['env']", 'environment'],
    ['src/http/routes/users.ts', "await query('SELECT id FROM akashi_auth.users')", 'sql-outside-contexts'],
    [
      'src/cli/commands/users.ts',
      'query(`insert into akashi_auth.users values ($1)`)',
      'sql-outside-contexts',
    ],
    ['src/cli/commands/users.ts', 'query(`update akashi_auth.users set x = 1`)', 'sql-outside-contexts'],
    ['package-lock.json', `"resolved": "https://${host}/a"`, 'download-address'],
    ['docs/a.md', `https://example.org/a/a-1.0.0${'.'}tgz`, 'download-address'],
    ['README.md', `see ${home}/src`, 'home-path'],
    ['migrations/000019_more.up.sql', 'create or replace function akashi_auth.policy(', 'second-definition'],
    [
      'migrations/000019_more.up.sql',
      '  CREATE OR  REPLACE VIEW akashi_auth.profiles as',
      'second-definition',
    ],
    [
      'migrations/000019_more.up.sql',
      'reset role; drop function akashi_auth.policy(text);',
      'second-definition',
    ],
    ['migrations/000019_more.up.sql', 'alter function akashi_auth.policy(text) stable;', 'second-definition'],
    ['migrations/000019_more.up.sql', 'create or\nreplace view akashi_auth.profiles as', 'second-definition'],
    ['migrations/000019_more.up.sql', 'drop\n  view akashi_auth.profiles;', 'second-definition'],
    ['migrations/000019_more.up.sql', 'drop policy users_owner on akashi_auth.users;', 'second-definition'],
    [
      'migrations/000019_more.up.sql',
      'alter policy users_owner on akashi_auth.users using (true);',
      'second-definition',
    ],
    [
      'migrations/000019_more.up.sql',
      'drop trigger if exists keep_tier on akashi_auth.roles;',
      'second-definition',
    ],
  ])('%s may not hold %s', (path, text, rule) => {
    expect(rulesBroken(path, text)).toEqual([rule])
  })

  test.each([
    ['src/start/up.ts', 'process.env'],
    ['src/cli/main.ts', 'main(process.env)'],
    ['scripts/ci.ts', 'process.env'],
    ['src/audit/a.ts', 'environment.process'],
    ['src/audit/trail.ts', "query('select 1 from akashi_audit.audit_logs')"],
    ['src/cli/commands/users.ts', "'select the users to show'"],
    ['docs/a.md', 'https://docs.example.org/home/page/'],
    ['migrations/000019_more.up.sql', 'create function akashi_auth.policy(key text, fallback text)'],
    ['migrations/000019_more.up.sql', "  execute format('create or replace trigger %I', name);"],
    ['migrations/000019_more.down.sql', 'drop function akashi_auth.policy(text);'],
    ['migrations/schema.sql', 'CREATE OR REPLACE FUNCTION akashi_auth.policy(key text)'],
  ])('%s may hold %s', (path, text) => {
    expect(rulesBroken(path, text)).toEqual([])
  })

  test('a violation names its line', () => {
    expect(findViolations('src/a/b.ts', 'ok\nok\nprocess.env\n')[0]?.line).toBe(3)
  })
})
