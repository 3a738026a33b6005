/** Re-encodes one picture and ends, earlier when it takes more memory than it may. */
import type { ImageRequest } from './images.ts'
import { reencode } from './reencode.ts'

const MEMORY_CHECK_MS = 50

process.once('message', ({ bytes, mimeType, memoryBytes, square }: ImageRequest) => {
  // The work is done by threads of the library, so this runs meanwhile.
  const watch = setInterval(() => {
    if (process.memoryUsage.rss() > memoryBytes) process.exit(1)
  }, MEMORY_CHECK_MS)
  void reencode(bytes, mimeType, square).then((image) => {
    clearInterval(watch)
    process.send?.(image, () => process.disconnect())
  })
})
process.once('disconnect', () => process.exit(0))
