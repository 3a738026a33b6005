/** The people, rooms and conversation of the sample workspace: a shop's team that talks in Japanese and English. */

export type Who = 'aoi' | 'ken' | 'mei' | 'lukas'

export const people: Readonly<Record<Who, string>> = {
  aoi: '佐藤 葵',
  ken: '田中 健',
  mei: 'Mei Lin',
  lukas: 'Lukas Weber',
}

/** A line of the conversation. `at` names it for those that come later; `to` replies to such a one. */
export interface Line {
  readonly by: Who
  readonly says: string
  readonly at?: string
  readonly to?: string
  readonly mentions?: readonly Who[]
  readonly reactions?: readonly (readonly [Who, string])[]
  /** What it says after an edit. */
  readonly corrected?: string
  readonly file?: 'chart' | 'notes'
}

export interface SampleRoom {
  readonly name: string
  readonly description: string
  readonly type: 'public' | 'private'
  /** The first is the owner. */
  readonly members: readonly [Who, ...Who[]]
  readonly lines: readonly Line[]
}

export const rooms: readonly SampleRoom[] = [
  {
    name: '総合 general',
    description: '全員の部屋です。 Everybody is here.',
    type: 'public',
    members: ['aoi', 'ken', 'mei', 'lukas'],
    lines: [
      {
        by: 'aoi',
        says: 'おはようございます！新しいチャットへようこそ 🎉',
        at: 'welcome',
        reactions: [
          ['ken', '🎉'],
          ['mei', '🎉'],
          ['lukas', '👋'],
        ],
      },
      {
        by: 'lukas',
        says: 'Good morning! Searching for a single Japanese character works here, I just tried 鍵.',
      },
      { by: 'mei', says: 'Nice. How do I find only the files?', at: 'question' },
      {
        by: 'ken',
        says: '検索で「ファイルあり」を選ぶだけです。',
        to: 'question',
        reactions: [['mei', '🙏']],
      },
      { by: 'aoi', says: '@lukas 金曜の監査、資料はそろっていますか？', mentions: ['lukas'], at: 'audit' },
      {
        by: 'lukas',
        says: 'Almost: the proof of the last quarter verifies, I attach the numbers.',
        to: 'audit',
        file: 'chart',
        reactions: [
          ['aoi', '👍'],
          ['ken', '👍'],
        ],
      },
      {
        by: 'aoi',
        says: '助かります。金曜の 15:00 にお願いします。',
        corrected: '助かります。金曜の 15:30 にお願いします。',
      },
    ],
  },
  {
    name: '開発 engineering',
    description: '設計とリリース。 Design and releases.',
    type: 'public',
    members: ['ken', 'mei', 'lukas'],
    lines: [
      { by: 'ken', says: '今夜 02:00 に閉じたパーティションの書き出しが走ります。', at: 'export' },
      { by: 'mei', says: 'Does anybody have to watch it?', to: 'export' },
      {
        by: 'ken',
        says: 'いいえ。読み戻して一致しなければ、何も消えません。',
        reactions: [
          ['mei', '✅'],
          ['lukas', '✅'],
        ],
      },
      { by: 'lukas', says: 'Notes of the last restore drill:', file: 'notes' },
      {
        by: 'mei',
        says: 'Restored in 41 seconds, loss under a second. 🚀',
        reactions: [
          ['ken', '🚀'],
          ['lukas', '🚀'],
        ],
      },
    ],
  },
  {
    name: '採用 hiring',
    description: '非公開の部屋です。 A private room.',
    type: 'private',
    members: ['aoi', 'mei'],
    lines: [
      { by: 'aoi', says: 'この部屋は招待された人だけが見られます。' },
      {
        by: 'mei',
        says: 'Good. The two of us are the only ones who can read this, and the trail shows that it stays so.',
      },
    ],
  },
]

export const direct: { readonly between: readonly [Who, Who]; readonly lines: readonly Line[] } = {
  between: ['aoi', 'ken'],
  lines: [
    { by: 'aoi', says: '明日のデモ、よろしくお願いします。' },
    { by: 'ken', says: 'はい、準備できています 👍' },
  ],
}

export const notes = `Restore drill

1. random point of the last 30 days
2. full backup and WAL on a scratch server
3. every table compared by its content
4. ledger verified: no problem found

復元訓練の記録: 問題ありませんでした。
`
