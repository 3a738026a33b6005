import type { Finding } from './check.ts'

const OLDEST_NODE = 24

export function nodeVersion(): Finding {
  const { node } = process.versions
  if (Number.parseInt(node, 10) >= OLDEST_NODE) return { ok: true, detail: `Node.js ${node}` }
  return {
    ok: false,
    detail: `Node.js ${node} is too old`,
    hint: `start the command akashi itself, which finds Node.js ${OLDEST_NODE} or newer`,
  }
}
