/**
 * Text rules for tracked files that neither compiler nor linter can check. Prints one line per violation and
 * exits 1 if there are any.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, resolve } from 'node:path'

interface TextRule {
  readonly name: string
  /** Selects the tracked files to check. */
  readonly applies: (path: string) => boolean
  readonly pattern: RegExp
  readonly message: string
}

interface Violation {
  readonly path: string
  /** 1-based. */
  readonly line: number
  readonly rule: string
  readonly message: string
}

const MAX_FILE_BYTES = 4 << 20
const BINARY = /[.](png|jpe?g|gif|webp|ico|woff2?|pdf|gz|zst|parquet|bin)$/
const mayReadEnvironment = /^src\/(start\/|cli\/main[.]ts$)/

const rules: readonly TextRule[] = [
  {
    name: 'environment',
    applies: (path) => path.startsWith('src/') && !mayReadEnvironment.test(path),
    pattern:
      /\bprocess\s*(\?\.|\.)\s*env\b|\bprocess\s*\[|[{,]\s*env\b.*from 'node:process'|\bimport\.meta\.env\b/,
    message: 'only src/start and src/cli/main.ts read the environment; take the value from the configuration',
  },
  {
    name: 'sql-outside-contexts',
    applies: (path) => /^src\/(http|cli)\/.*[.]ts$/.test(path),
    pattern:
      /['"`]\s*(select\s.+\sfrom\s|insert\s+into\s|update\s+[\w."]+\s+set\s|delete\s+from\s|(create|alter|drop|truncate)\s+(table|role|schema|index|function|view)\s)/i,
    message: 'http and cli hold no SQL; put the query in the context that owns the table',
  },
  {
    name: 'download-address',
    applies: () => true,
    // A registry host, or the address of a tarball: neither belongs in a tracked file.
    pattern: /\bregistry\.[a-z0-9-]+\.[a-z]{2,}|https?:\/\/\S+\.tgz\b/i,
    message: 'no registry host and no download address in tracked files',
  },
  {
    name: 'second-definition',
    applies: (path) => /^migrations\/\d{6}_\w+[.]up[.]sql$/.test(path),
    // A second `create` of the same name and argument types is refused by PostgreSQL itself. Lines are checked one by
    // one, so a statement does not break where the pattern would miss the rest.
    pattern:
      /(^|;)\s*(create\s+or\b|(drop|alter)\s+(function|procedure|routine|view|policy|trigger)\b|(create|drop|alter)\s*$)/i,
    message: 'a definition stands once: until the first release it is changed where it stands',
  },
  {
    name: 'home-path',
    applies: () => true,
    pattern: /(?<![\w.}])\/(home|Users)\/[\w.-]+\//,
    message: 'no path of one machine in tracked files',
  },
]

/** A rule against the parent folder of the repository, whose path is specific to this machine. */
function checkoutRule(commonGitDir: string): TextRule[] {
  const parent = dirname(dirname(commonGitDir))
  if (parent === '/' || parent === tmpdir()) return []
  const escaped = parent.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return [
    {
      name: 'checkout-path',
      applies: () => true,
      pattern: new RegExp(`(?<![\\w.])${escaped}/`),
      message: 'no path of this machine in tracked files',
    },
  ]
}

export function findViolations(path: string, text: string, active: readonly TextRule[] = rules): Violation[] {
  const applicable = active.filter((rule) => rule.applies(path))
  return text
    .split('\n')
    .flatMap((content, index) =>
      applicable
        .filter((rule) => rule.pattern.test(content))
        .map((rule) => ({ path, line: index + 1, rule: rule.name, message: rule.message })),
    )
}

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8' })
}

if (import.meta.main) {
  const active = [...rules, ...checkoutRule(resolve(git('rev-parse', '--git-common-dir').trim()))]
  const paths = git('ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0')
  const violations = paths
    .filter((path) => path !== '' && !BINARY.test(path))
    .flatMap((path) => {
      const bytes = readIfPresent(path)
      return bytes === null || bytes.length > MAX_FILE_BYTES
        ? []
        : findViolations(path, bytes.toString(), active)
    })
  for (const found of violations)
    console.error(`${found.path}:${found.line}: ${found.rule}: ${found.message}`)
  process.exitCode = violations.length === 0 ? 0 : 1
}

/** null for deleted but tracked files and for links to folders. */
function readIfPresent(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch {
    return null
  }
}
