/** Generates a year of Japanese messages for read benchmarks. */
import { randomUUID } from 'node:crypto'
import type { Session } from '../src/postgres/index.ts'

/** Number of rooms, and of those the reader is in. */
export const ROOMS = 50
export const ROOMS_OF_READER = 10

export interface ChatHistory {
  readonly reader: string
  /** Rooms of the reader. */
  readonly rooms: readonly string[]
}

/** Words of the messages by frequency: the n-th appears about 1/n as often as the first. */
const words =
  'です ます 会議 確認 お願い 資料 明日 今日 ありがとう 了解 東京 大阪 予定 報告 設計 監査 証跡 暗号 鍵 復元 障害 対応 連絡 共有 承知 ｻｰﾊﾞｰ データ ベース 検索 画面 入力 確定 変更 削除 追加 レビュー 修正 テスト 本番 環境 週末 来週 月曜 金曜 午後 午前 電話 面談 採用 経費 精算 見積 契約 納品 請求 桜 寿司 温泉 富士山 新幹線 量子 珪素 螺旋 孔雀 麒麟'.split(
    ' ',
  )

/** Fills akashi_chat.messages with `count` messages over the last twelve months. Audit is off meanwhile, since it is not measured. */
export async function fillChat(session: Session, count: number): Promise<ChatHistory> {
  const reader = randomUUID()
  await session.query(
    `insert into akashi_auth.users (id, issuer, subject_index, subject_encrypted, email_index, email_encrypted, email_masked, username)
     values ($1, 'local', sha256('reader'), '\\x01', sha256('reader'), '\\x01', 'r***@example.com', 'reader')`,
    [reader],
  )
  await session.query(
    `insert into akashi_auth.user_roles (user_id, role_id) select $1, id from akashi_auth.roles where name = 'viewer'`,
    [reader],
  )
  await session.query(
    `select akashi_lifecycle.create_partition('akashi_chat.messages', now() - make_interval(months => m)) from generate_series(0, 12) as m`,
  )
  await session.query('alter table akashi_chat.messages disable trigger all')
  // Built at the end, as in a bulk load.
  const index = await session.query<{ statement: string }>(
    `select pg_get_indexdef('akashi_chat.messages_grams_idx'::regclass) as statement`,
  )
  await session.query('drop index akashi_chat.messages_grams_idx')
  const rooms = await session.query<{ id: string }>(
    `with made as (insert into akashi_chat.rooms (name) select 'room ' || n from generate_series(1, ${ROOMS}) as n returning id),
       turns as (insert into akashi_chat.room_sequences (room_id, last_sequence, last_message_at) select id, $1, now() from made)
     select id from made`,
    [count],
  )
  const mine = rooms.rows.slice(0, ROOMS_OF_READER).map(({ id }) => id)
  await session.query(
    `insert into akashi_chat.room_members (room_id, user_id, role) select r, $2, 'owner' from unnest($1::uuid[]) as r`,
    [mine, reader],
  )
  await session.query(
    `insert into akashi_chat.messages (id, room_id, user_id, sequence, content, created_at, updated_at)
     select akashi_chat.message_id(t.at), ($2::uuid[])[1 + n % ${ROOMS}], $3, n,
       (select string_agg(($4::text[])[least(cardinality($4::text[]), floor(power(cardinality($4::text[]) + 1, random()))::integer)], case when random() < 0.5 then '、' else 'の' end)
        from generate_series(1, 3 + (n % 9)) as w where n is not null), t.at, t.at
     from generate_series(1, $1::integer) as n
     cross join lateral (select date_trunc('milliseconds', now() - (($1::integer - n)::double precision / $1::integer) * interval '360 days') as at) t`,
    [count, rooms.rows.map(({ id }) => id), reader, words],
  )
  // As maintained by the triggers: searches ignore messages newer than the last message of their room.
  await session.query(
    `update akashi_chat.room_sequences s set last_message_at = m.newest
     from (select room_id, max(created_at) as newest from akashi_chat.messages group by room_id) m where m.room_id = s.room_id`,
  )
  await session.query('alter table akashi_chat.messages enable trigger all')
  await session.query("set maintenance_work_mem = '512MB'")
  await session.query((index.rows[0]?.statement ?? '').replace(' ON ONLY ', ' ON '))
  await session.query('vacuum analyze akashi_chat.messages')
  return { reader, rooms: mine }
}
