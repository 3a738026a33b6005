/** Search over a year of Japanese messages: latency and recall. */

import { type MessageSearch, operations } from '@akashi/contract'
import { searchMessages } from '../src/chat/index.ts'
import { given } from '../src/foundation/index.ts'
import { person } from '../src/postgres/index.ts'
import { fillChat } from './chat-messages.ts'
import { benchCluster } from './cluster.ts'
import { atLeast, atMost, type Benchmark, figure } from './harness.ts'

const MESSAGES = 1_000_000
/** Queries of one, two and more characters; common, rare and absent. */
const queries = [
  'の',
  '鍵',
  'で',
  '桜',
  'です',
  '会議',
  '監査',
  '孔雀',
  '麒麟',
  'サーバー',
  'ありがとう',
  '富士山',
  '新幹線',
  '量子 螺旋',
  '会議の資料',
  '存在しない',
  '珪素、麒麟',
  '薔',
]

export const search: Benchmark = {
  name: 'search',
  description: 'search of 1 M Japanese messages in 12 partitions by a member of 10 of 50 rooms',
  async run({ rounds, scale, progress }) {
    const cluster = await benchCluster()
    try {
      const count = Math.round(MESSAGES * scale)
      const begun = performance.now()
      const { reader, rooms } = await cluster.asAdministrator((session) => fillChat(session, count))
      progress(`${count} messages in ${Math.round((performance.now() - begun) / 1000)} s`)
      const app = cluster.application(4)
      const find = (query: Partial<MessageSearch>) =>
        searchMessages(app, person({ userId: reader }), operations['GET /v1/chat/search'].query.parse(query))
      const times: number[] = []
      for (let round = 0; round < rounds; round += 1) {
        for (const q of queries) {
          for (const roomId of [undefined, rooms[round % rooms.length]]) {
            const from = performance.now()
            await find({ q, ...given({ roomId }) })
            const took = performance.now() - from
            times.push(took)
            if (round === 0)
              progress(`${q}${roomId === undefined ? '' : ' in a room'}: ${took.toFixed(1)} ms`)
          }
        }
      }
      times.sort((a, b) => a - b)
      const { found, expected } = await recall()
      return [
        atMost('time of a page, p95', times[Math.floor(times.length * 0.95)] ?? Number.NaN, 'ms', 100),
        figure('time of a page, median', times[Math.floor(times.length / 2)] ?? Number.NaN, 'ms'),
        atLeast('recall: all pages of the rare queries, relative to a scan', found / expected, '', 1),
      ]

      async function recall(): Promise<{ found: number; expected: number }> {
        let found = 0
        let expected = 0
        for (const q of ['桜', '孔雀', '量子 螺旋', '珪素、麒麟', 'サーバー の鍵']) {
          const { rows } = await cluster.asAdministrator((session) =>
            session.query<{ id: string }>(
              `select id from akashi_chat.messages where room_id = any ($1) and not exists (
                 select from regexp_split_to_table(lower(normalize($2, nfkc)), '\\s+') as w where strpos(lower(normalize(content, nfkc)), w) = 0)
               order by created_at desc limit 500`,
              [rooms, q],
            ),
          )
          const ids = new Set<string>()
          let before: string | null = null
          do {
            const page = await find({ q, limit: 100, ...(before === null ? {} : { before }) })
            for (const { id } of page.messages) ids.add(id)
            before = ids.size >= rows.length ? null : page.next
          } while (before !== null)
          expected += rows.length
          found += rows.filter(({ id }) => ids.has(id)).length
        }
        return { found, expected }
      }
    } finally {
      await cluster.close()
    }
  },
}
