/** What the gate asks of a picture of the README. */
import sharp from 'sharp'

/** Entropy in bits; a single colour has 0. */
const MIN_ENTROPY = 0.5

/** @throws if the picture does not have the width in pixels, or is a single colour */
export async function expectPicture(path: string, expectedWidth: number): Promise<void> {
  const image = sharp(path)
  const [{ width }, { entropy }] = [await image.metadata(), await image.stats()]
  if (width !== expectedWidth || entropy < MIN_ENTROPY) throw new Error(`${path} is not a picture of a page`)
}

/** @throws if the README does not show the picture at `path` */
export function expectMentioned(readme: string, path: string): void {
  if (!readme.includes(path)) throw new Error(`${path} is not in the README`)
}
