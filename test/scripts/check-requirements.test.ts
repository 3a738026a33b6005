import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkRequirements } from '../../scripts/check-requirements.ts'
import { databaseObjects } from '../../scripts/requirements/objects.ts'
import { allCommands } from '../../src/cli/index.ts'
import { MIGRATIONS } from '../support/settings.ts'

const HEADER = '| id | requirement | state | place | test |\n| --- | --- | --- | --- | --- |\n'
const PLANNED = '| S1-1-01 | one | planned: detection | `src/rules` | — |'
const INDEX = `<!-- summary:begin -->
<!-- summary:end -->

| capability | what it brings |
| --- | --- |
| detection | rules |
`
const SCHEMA = `create role akashi_reader login;
create schema akashi_audit authorization akashi_owner;
create type audit.context as (verified boolean);
create sequence audit.logs_seq as bigint;
create table audit.logs (
  id uuid not null,
  "position" bigint,
  constraint logs_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX logs_position_idx ON audit.logs USING btree ("position");
CREATE TRIGGER keep_row BEFORE UPDATE ON audit.logs FOR EACH ROW EXECUTE FUNCTION audit.refuse();
create policy logs_read on audit.logs for select to akashi_reader using (true);
create view audit.chain with (security_invoker=true) as
 SELECT e.id,
    e."position",
        CASE
            WHEN true THEN 'a'::text
            ELSE 'b'::text
        END AS state,
    encode(e.hash, 'hex'::text) AS hash
   FROM audit.logs e
     JOIN other o ON true;
CREATE OR REPLACE FUNCTION audit.refuse(wanted text)
 RETURNS trigger
`
const FILES: Readonly<Record<string, string>> = {
  'docs/requirements.md': INDEX,
  'migrations/schema.sql': SCHEMA,
  'src/audit/index.ts': '',
  'test/logs.test.ts':
    "import '../src/audit/index.ts'\ndescribeTable('audit.logs'); refuse(); ['archive', 'run']",
  'test/other.test.ts': 'what nobody looks for, such as catalogs and refused',
  'infra/test/keys.test.ts': 'keys are rotated every year',
}
const COMMANDS = ['archive', 'archive run']

let root: string

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'akashi-requirements-'))
  for (const [path, text] of Object.entries(FILES)) write(path, text)
})

afterEach(() => rmSync(root, { recursive: true }))

function problemsOf(...rows: string[]): string[] {
  write('docs/requirements/s1.md', `${HEADER}${rows.join('\n')}\n`)
  return checkRequirements(root, COMMANDS, true)
}

/** A built row with this place and test. */
const built = (place: string, named: string) => `| S1-1-02 | two | done | ${place} | ${named} |`
const SHOWN = '`test/logs.test.ts`'

test('takes rows of every state', () => {
  expect(
    problemsOf(
      PLANNED,
      `| S1-1-02 | two | done | \`src/audit\`, \`audit.logs\` | ${SHOWN}, \`test/other.test.ts\` (\`nobody looks for\`, \`catalogs\`) |`,
      `| S1-old-03 | a \\| b | decided otherwise: since | \`akashi archive run\` | ${SHOWN} |`,
      '| S1-3.7-04 | four | not ours: because | — | — |',
      `| S1-3.7-05 | five | done: by day: it is less | \`audit.refuse()\` | ${SHOWN} |`,
      '| S1-3.7-06 | six | planned: detection; one finding for each window | — | — |',
    ),
  ).toEqual([])
  expect(readFileSync(join(root, 'docs/requirements.md'), 'utf8')).toContain('| all | 6 | 2 | 2 | 1 | 1 |')
})

test.each([
  ['`akashi_audit`', '`test/other.test.ts` (`catalogs`)'],
  ['`infra/test`', '`infra/test/keys.test.ts` (`rotated every year`)'],
  ['`akashi_reader`', '`test/other.test.ts` (`catalogs`)'],
  ['`audit.context`, `audit.logs_seq`, `audit.logs_position_idx`', '`test/other.test.ts` (`catalogs`)'],
  ['`audit.logs.position`, `audit.logs.logs_pkey`', '`test/other.test.ts` (`catalogs`)'],
  ['`audit.logs.keep_row`, `audit.logs.logs_read`', '`test/other.test.ts` (`catalogs`)'],
  ['`audit.chain`, `audit.chain.position`, `audit.chain.state`', '`test/other.test.ts` (`catalogs`)'],
  ['`audit.chain.hash`', '`test/other.test.ts` (`catalogs`)'],
])('finds %s in the schema', (place, named) => {
  expect(problemsOf(PLANNED, built(place, named))).toEqual([])
})

describe('a row', () => {
  test.each([
    ['| S1-1-01 | again | planned: detection | — | — |', 'repeats the id of docs/requirements/s1.md:3'],
    ['| S1-1-02 | two | maybe | — | — |', "state 'maybe' is none of"],
    ['| S1-1-02 | two | decided otherwise | — | — |', 'needs a reason'],
    ['| S1-1-02 | two | planned | — | — |', 'is planned without naming the capability'],
    ['| S1-1-02 | two | planned: magic; by day | — | — |', "capability 'magic' is not in the list"],
    ['| S1-1-02 | two | done: | `src` | `x.test.ts` |', 'has a colon but no reason'],
    ['| S1-1-02 | two | planned: detection | — | `x.test.ts` |', 'names a test but is not built'],
    ['| S1-1-02 | two | decided otherwise: since | `audit.logs` | — |', 'names no test'],
    [`| S1-1-02 | two | decided otherwise: since | — | ${SHOWN} |`, 'names no place'],
    [`| S1-1-02 | two | decided otherwise: since | \`src/gone\` | ${SHOWN} |`, "'src/gone' does not exist"],
    [built('`audit.logs`', '—'), 'names no test'],
    [built('`audit.logs`', '`test/gone.test.ts`'), "test 'test/gone.test.ts' does not exist"],
    [built('`audit.logs`', '`test`'), "test 'test' is not a test file"],
    [built('`audit.gone(`', SHOWN), "place 'audit.gone(' is not in migrations/schema.sql"],
    [built('`audit.gone`', SHOWN), "place 'audit.gone' is not in migrations/schema.sql"],
    [built('`audit.logs.gone`', SHOWN), "place 'audit.logs.gone' is not in migrations/schema.sql"],
    [built('`akashi_gone`', SHOWN), "place 'akashi_gone' is not in migrations/schema.sql"],
    [built('`audit.refuse`', SHOWN), 'is a function: write it with ()'],
    [built('`audit.logs()`', SHOWN), "place 'audit.logs()' is not a function"],
    [built('`akashi archive stop`', SHOWN), "place 'akashi archive stop' is not a CLI command"],
    [built('`src/gone`', SHOWN), "place 'src/gone' does not exist"],
    [built('src/audit', SHOWN), 'does not write its places as'],
    [built('`audit.logs`', 'test/logs.test.ts'), 'does not write its tests as'],
    [built('`audit.logs`', `${SHOWN} (audit)`), 'does not write its tests as'],
    [built('`audit.logs`', '`test/other.test.ts`'), 'names none of its places'],
    [built('`audit.refuse()`', '`test/other.test.ts`'), 'names none of its places'],
    [built('`audit.logs.position`', SHOWN), 'names none of its places'],
    [built('`akashi archive run`', '`test/other.test.ts`'), 'names none of its places'],
    [built('`src/audit`', '`test/other.test.ts`'), 'names none of its places'],
    [built('`audit.logs`', `${SHOWN} (\`nothing\`)`), "does not say 'nothing'"],
    ['| S2-1-02 | two | planned: detection | — | — |', 'belongs in docs/requirements/s2.md'],
    ['| S1.2 | two | planned: detection | — | — |', 'does not have the form'],
    ['| S1-1-02 | two | planned: detection | — |', '4 cells instead of 5'],
  ])('that is %s is named', (row, problem) => {
    expect(problemsOf(PLANNED, row)).toContainEqual(expect.stringContaining(problem))
  })
})

test('names a capability that no row waits for', () => {
  expect(problemsOf('| S1-1-01 | one | not ours: because | — | — |')).toEqual([
    "docs/requirements.md: no row waits for the capability 'detection'",
  ])
})

test('compares the summary unless told to write it', () => {
  problemsOf(PLANNED)
  expect(checkRequirements(root, COMMANDS)).toEqual([])
  write('docs/requirements/s1.md', `${HEADER}${PLANNED}\n| S1-1-02 | two | planned: detection | — | — |\n`)
  expect(checkRequirements(root, COMMANDS)).toEqual([
    expect.stringContaining('the summary does not count the rows'),
  ])
})

test('knows the objects and commands of the product', () => {
  const objects = databaseObjects(readFileSync(`${MIGRATIONS}/schema.sql`, 'utf8'))
  expect(objects.get('akashi_audit.protect')).toBe('function')
  expect(objects.get('akashi_auth.users.email_encrypted')).toBe('part')
  expect(objects.get('akashi_security.v_security_events.archive_status')).toBe('part')
  expect(allCommands().map(([name]) => name)).toEqual(
    expect.arrayContaining(['up', 'archive', 'archive run', 'ddl athena']),
  )
})
