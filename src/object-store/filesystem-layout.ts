/**
 * File layout of the filesystem driver. The entry of a key is a symbolic link whose target contains the
 * digest, so that one atomic system call publishes both and they cannot diverge.
 *
 *   objects/<folder>/<leaf>   link to ../…/blobs/<folder>/<sha256>-<size>-<milliseconds>-<nonce>
 *   blobs/<folder>/…          the bytes, each file written once and never changed
 *   temp/<nonce>              uploads in progress; never visible to readers
 */
import { randomBytes } from 'node:crypto'
import { join, posix } from 'node:path'

const NONCE_BYTES = 8
const BLOB_NAME = /^([0-9a-f]{64})-(\d{1,16})-(\d{1,16})-[0-9a-f]{16}$/

/** A version of an object, parsed from the name of its blob. */
export interface Version {
  readonly blobName: string
  readonly sha256: string
  readonly size: number
  readonly lastModified: Date
}

export function newNonce(): string {
  return randomBytes(NONCE_BYTES).toString('hex')
}

export function newVersion(sha256: string, size: number, nonce: string): Version {
  const lastModified = new Date()
  return { blobName: `${sha256}-${size}-${lastModified.getTime()}-${nonce}`, sha256, size, lastModified }
}

function parseBlobName(blobName: string): Version | null {
  const [, sha256, size, time] = BLOB_NAME.exec(blobName) ?? []
  if (sha256 === undefined || size === undefined || time === undefined) return null
  return { blobName, sha256, size: Number(size), lastModified: new Date(Number(time)) }
}

export class Layout {
  readonly root: string
  readonly objects: string
  readonly blobs: string
  readonly temp: string

  constructor(root: string) {
    this.root = root
    this.objects = join(root, 'objects')
    this.blobs = join(root, 'blobs')
    this.temp = join(root, 'temp')
  }

  link(key: string): string {
    return join(this.objects, key)
  }

  blob(key: string, version: Version): string {
    return join(this.blobs, folderOf(key), version.blobName)
  }
}

/** `''` for a key of one segment. */
export function folderOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('/')))
}

/** Relative, so that the whole store can be moved or copied with its links. */
export function linkTarget(key: string, version: Version): string {
  const folder = folderOf(key)
  return posix.join('../'.repeat(key.split('/').length), 'blobs', folder, version.blobName)
}

/** null if this driver did not create the link for this key. */
export function parseLinkTarget(key: string, target: string): Version | null {
  const version = parseBlobName(target.slice(target.lastIndexOf('/') + 1))
  return version !== null && linkTarget(key, version) === target ? version : null
}
