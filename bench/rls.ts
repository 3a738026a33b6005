/** Cost of row-level security for the most frequent query: the newest messages of a room. */
import { person } from '../src/postgres/index.ts'
import { fillChat } from './chat-messages.ts'
import { benchCluster } from './cluster.ts'
import { atMost, type Benchmark, figure, interleave, median, ratio } from './harness.ts'

const MESSAGES = 300_000
const PAGES = 1_500
/** The page without reader-specific columns: both sides run this statement. */
const page =
  'select * from akashi_chat.messages m where m.room_id = $1 and m.created_at < $2 order by m.created_at desc limit 50'

export const rls: Benchmark = {
  name: 'rls',
  description:
    'history page of 50 messages, by a member under row security ÷ by a superuser without, same context, same statement',
  async run(options) {
    const cluster = await benchCluster()
    try {
      const { reader, rooms } = await cluster.asAdministrator((session) =>
        fillChat(session, Math.round(MESSAGES * options.scale)),
      )
      const open = (role: 'app' | 'owner') => cluster.connections.open(role, { poolSize: 1 })
      const [app, owner] = [open('app'), open('owner')]
      const pages = Math.round(PAGES * options.scale)
      const read = (database: typeof app) => async () => {
        const begun = performance.now()
        for (let at = 0; at < pages; at += 1) {
          const before = new Date(Date.now() - ((at * 37) % 300) * 86_400_000)
          const { rows } = await database.transaction(
            person({ userId: reader }),
            (session) => session.query(page, [rooms[at % rooms.length], before]),
            { readOnly: true },
          )
          if (rows.length === 0) throw new Error('a page without messages')
        }
        return (performance.now() - begun) / pages
      }
      const figures = await interleave({ 'under row security': read(app), without: read(owner) }, options)
      await app.close()
      await owner.close()
      return [
        atMost(
          'page under row security ÷ without',
          ratio(figures['under row security'], figures.without),
          '',
          1.15,
        ),
        figure('page under row security', median(figures['under row security']), 'ms'),
      ]
    } finally {
      await cluster.close()
    }
  },
}
