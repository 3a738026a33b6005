import { pingScanner } from '../../chat/index.ts'
import type { Check } from './check.ts'

/** Without a scanner the files of the chat are never shown. That is no fault where nobody uses the chat. */
export const fileScanner: Check = {
  name: 'file scanner',
  run: async ({ config: { clamdUrl } }) => {
    if (clamdUrl === undefined) {
      return {
        ok: true,
        detail: 'not set up: files that people upload to the chat stay hidden',
        hint: 'install clamd and set CLAMD_URL (docs/chat.md)',
      }
    }
    await pingScanner(new URL(clamdUrl))
    return { ok: true, detail: `${clamdUrl} answers` }
  },
}
