import sharp from 'sharp'
import { expect, it } from 'vitest'
import { cleanImage } from '../../src/chat/files/images.ts'

const picture = (side: number) =>
  sharp({ create: { width: side, height: side, channels: 3, background: '#c03' } })

it('re-encodes a picture in a process of its own, without what it says of its place', async () => {
  const taken = await picture(600)
    .withExif({ IFD0: { Copyright: 'of somebody' } })
    .jpeg()
    .toBuffer()
  const clean = await cleanImage(Buffer.concat([taken, Buffer.from('appended')]), 'image/jpeg')
  expect(clean).toMatchObject({ mimeType: 'image/jpeg', width: 600, height: 600 })
  expect((await sharp(clean.bytes).metadata()).exif).toBeUndefined()
  expect(Buffer.from(clean.bytes).includes('appended')).toBe(false)
  expect(await sharp(clean.thumbnail).metadata()).toMatchObject({ format: 'webp', width: 480 })
})

it.each([
  ['no picture', 'image/png'],
  ['<svg xmlns="http://www.w3.org/2000/svg"/>', 'image/svg+xml'],
])('refuses %j', async (text, mimeType) => {
  await expect(cleanImage(Buffer.from(text), mimeType)).rejects.toMatchObject({ code: 'invalid_input' })
})

it('ends a picture that takes longer, or more memory, than it may', async () => {
  const large = await picture(3_000).png().toBuffer()
  await expect(cleanImage(large, 'image/png', { timeoutMs: 1 })).rejects.toMatchObject({
    code: 'invalid_input',
  })
  await expect(cleanImage(large, 'image/png', { memoryBytes: 1_000_000 })).rejects.toMatchObject({
    code: 'invalid_input',
  })
})

it('ends with its caller', async () => {
  const stop = new AbortController()
  const work = cleanImage(await picture(2_000).png().toBuffer(), 'image/png', { signal: stop.signal })
  stop.abort()
  await expect(work).rejects.toMatchObject({ code: 'cancelled' })
})
