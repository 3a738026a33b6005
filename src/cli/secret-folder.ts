import { mkdir, open, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { AkashiError, errno } from '../foundation/index.ts'

const OWNER_FOLDER = 0o700
const OWNER_FILE = 0o600

/** A folder for secrets, one value per file, for variables `NAME_FILE`, containers and systemd units. */
export interface SecretFolder {
  readonly path: string
  /** @param values file name → value */
  write(values: Readonly<Record<string, string>>): Promise<void>
  /** Deletes the files that received no value. */
  close(): Promise<void>
}

/**
 * Creates the files, readable only by their owner, before any value exists, so that no password is set that
 * cannot be stored.
 *
 * @throws already_exists for an existing file, invalid_input if a file cannot be created
 */
export async function openSecretFolder(name: string, files: readonly string[]): Promise<SecretFolder> {
  const path = resolve(name)
  const empty = new Set<string>()
  const close = async () => {
    for (const file of empty) await rm(join(path, file), { force: true })
  }
  try {
    await mkdir(path, { recursive: true, mode: OWNER_FOLDER })
    for (const file of files) {
      await (await open(join(path, file), 'wx', OWNER_FILE)).close()
      empty.add(file)
    }
  } catch (error) {
    await close()
    const taken = errno(error) === 'EEXIST'
    throw new AkashiError(
      taken ? 'already_exists' : 'invalid_input',
      taken
        ? `secrets are already in ${path}`
        : `files cannot be created in ${path} (${errno(error) ?? 'unknown'})`,
      { hint: 'name an empty folder, or one that does not exist yet', cause: error },
    )
  }
  return {
    path,
    write: async (values) => {
      for (const [file, value] of Object.entries(values)) {
        const handle = await open(join(path, file), 'r+')
        try {
          await handle.writeFile(value)
          await handle.sync()
        } finally {
          await handle.close()
        }
        empty.delete(file)
      }
    },
    close,
  }
}
