import { pingScanner } from '../../chat/index.ts'
import type { Check } from './check.ts'

/** Without a scanner, uploaded files are never shown. That is ok where the chat is not used. */
export const fileScanner: Check = {
  name: 'file scanner',
  run: async ({ config: { clamdUrl } }) => {
    if (clamdUrl === undefined) {
      return {
        ok: true,
        detail: 'not configured: files uploaded to the chat stay hidden',
        hint: 'install clamd and set CLAMD_URL (docs/chat.md)',
      }
    }
    await pingScanner(new URL(clamdUrl))
    return { ok: true, detail: `${clamdUrl} responds` }
  },
}
