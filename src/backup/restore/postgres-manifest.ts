/** PostgreSQL's own manifest of a base backup (PostgreSQL documentation, chapter 71). */
import { z } from 'zod'
import { AkashiError } from '../../foundation/index.ts'

const manifest = z.object({
  Files: z.array(
    z.object({
      Path: z.string().optional(),
      'Encoded-Path': z.string().optional(),
      'Checksum-Algorithm': z.string().optional(),
      Checksum: z.string().optional(),
    }),
  ),
})

/** SHA-256 by path. */
export function readChecksums(bytes: Buffer): Map<string, string> {
  const parsed = manifest.safeParse(JSON.parse(bytes.toString()))
  if (!parsed.success) throw new AkashiError('integrity', 'the manifest that PostgreSQL wrote cannot be read')
  const checksums = new Map<string, string>()
  for (const file of parsed.data.Files) {
    const path = file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString()
    if (file['Checksum-Algorithm'] === 'SHA256' && file.Checksum !== undefined)
      checksums.set(path, file.Checksum)
  }
  return checksums
}
