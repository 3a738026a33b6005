import { access, constants, stat } from 'node:fs/promises'
import { errno, folderOfFileUrl } from '../../foundation/index.ts'
import { keysUrl } from '../places.ts'
import type { Check, Finding } from './check.ts'

/** Permission bits of group and others. */
const OTHERS = 0o077

export const dataFolder: Check = {
  name: 'data folder',
  run: ({ config }) => folderFinding(config.data, { onlyOwner: false }),
}

export const keyringFolder: Check = {
  name: 'keyring',
  run: ({ config }) => locationFinding(keysUrl(config), { onlyOwner: true }),
}

interface FolderDemands {
  /** Whether only its owner may have access. */
  readonly onlyOwner: boolean
}

/** Locations with other schemes have their own checks. */
export function locationFinding(url: string, demands: FolderDemands): Promise<Finding> | Finding {
  if (URL.parse(url)?.protocol !== 'file:') return { ok: true, detail: 'not a local folder' }
  return folderFinding(folderOfFileUrl(url), demands)
}

async function folderFinding(path: string, { onlyOwner }: FolderDemands): Promise<Finding> {
  try {
    const found = await stat(path)
    if (!found.isDirectory()) {
      return {
        ok: false,
        detail: `${path} is not a folder`,
        hint: 'move the file away, or configure another path',
      }
    }
    if (onlyOwner && process.platform !== 'win32' && (found.mode & OTHERS) !== 0) {
      return { ok: false, detail: `${path} is accessible to other users`, hint: `chmod 700 ${path}` }
    }
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
    return { ok: true, detail: path }
  } catch (error) {
    if (errno(error) === 'ENOENT')
      return { ok: true, detail: `${path} does not exist yet; the first start creates it` }
    return {
      ok: false,
      detail: `${path} cannot be used (${errno(error) ?? 'unknown'})`,
      hint: 'give the user that runs akashi access to it, or configure another path',
    }
  }
}
