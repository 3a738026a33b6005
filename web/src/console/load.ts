import { Console } from './index.tsx'
import { loadTexts } from './locales/index.ts'

/** The console with its texts, which have to be there before it is shown. */
export async function load(): Promise<typeof Console> {
  await loadTexts()
  return Console
}
