/**
 * Checks that package-lock.json has no download address (it would tie every clone to one registry), matches
 * package.json (npm install fixes a stale lock silently) and holds the packages of every platform (npm ci refuses a
 * lock without them, and npm install leaves out those that the registry did not have).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const Dependencies = z.record(z.string(), z.string()).default({})
const Manifest = z.object({
  dependencies: Dependencies,
  devDependencies: Dependencies,
  optionalDependencies: Dependencies,
})
const Lock = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      version: z.string().optional(),
      resolved: z.string().optional(),
      integrity: z.string().optional(),
      link: z.boolean().optional(),
      /** Comes within another package, whose digest covers it. */
      inBundle: z.boolean().optional(),
      optionalDependencies: Dependencies,
    }),
  ),
})

const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const
const EXACT_VERSION = /^\d+\.\d+\.\d+(-[\w.]+)?$/

/** Returns all mistakes, one line each. */
export function lockMistakes(manifestText: string, lockText: string): string[] {
  const manifest = Manifest.parse(JSON.parse(manifestText))
  const { packages } = Lock.parse(JSON.parse(lockText))
  const lockedRoot = Manifest.parse(packages[''] ?? {})
  const mistakes: string[] = []
  for (const kind of kinds) {
    const names = new Set([...Object.keys(manifest[kind]), ...Object.keys(lockedRoot[kind])])
    for (const name of names) {
      const wanted = manifest[kind][name]
      if (wanted !== lockedRoot[kind][name]) mistakes.push(`${kind} ${name}: package.json and lock disagree`)
      if (wanted !== undefined && !EXACT_VERSION.test(wanted)) {
        mistakes.push(`${kind} ${name}: ${wanted} is not an exact version`)
      }
    }
  }
  for (const [path, entry] of Object.entries(packages)) {
    if (entry.link !== true && entry.resolved !== undefined) mistakes.push(`${path}: has a download address`)
    const covered = entry.link === true || entry.inBundle === true
    if (path.includes('node_modules/') && !covered && entry.integrity === undefined) {
      mistakes.push(`${path}: has no integrity digest`)
    }
    for (const name of Object.keys(entry.optionalDependencies)) {
      if (!isLocked(packages, path, name)) mistakes.push(`${path}: its optional ${name} is not locked`)
    }
  }
  return mistakes
}

/** Whether the package at `path` finds `name` in its own node_modules or in one above, as Node.js does. */
function isLocked(packages: Readonly<Record<string, unknown>>, path: string, name: string): boolean {
  for (let folder = path; ; folder = folder.replace(/(^|\/)(node_modules\/)?(@[^/]+\/)?[^/]+$/, '')) {
    if (packages[`${folder}${folder === '' ? '' : '/'}node_modules/${name}`] !== undefined) return true
    if (folder === '') return false
  }
}

/** Folders with a lock file of their own. */
const FOLDERS = ['.', 'infra']

if (import.meta.main) {
  for (const folder of FOLDERS) {
    const lock = join(folder, 'package-lock.json')
    const mistakes = lockMistakes(
      readFileSync(join(folder, 'package.json'), 'utf8'),
      readFileSync(lock, 'utf8'),
    )
    for (const mistake of mistakes) console.error(`${lock}: ${mistake}`)
    if (mistakes.length > 0) process.exitCode = 1
  }
}
