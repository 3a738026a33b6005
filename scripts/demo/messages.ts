/** What the demo says. Plain text; the commands and their output are the same in every language. */

const en = {
  title: 'Akashi: the record of a shop, and five attempts to alter it',
  start: 'Start everything: PostgreSQL, the sealer, the timetable, a page',
  startSaid: 'In a folder of its own, which goes away when the demo ends.',
  ready: (url: string) => `It runs; while the demo goes on, its page is at ${url}`,
  shop: "Put a shop's tables under audit",
  shopSaid: 'The trail keeps e-mail addresses only as salted digests.',
  work: 'Two people work in the shop',
  workSaid:
    'The application says who acts in a signed context. The trail keeps who, from where, what it was and what it is now.',
  workDone: 'Every change is recorded with who did it, and each signature was checked.',
  events: 'Take in the log of an SSH server under attack',
  real: 'A real log of 2,000 lines.',
  generated: 'No real log is at hand, so one of the same form was generated.',
  again: 'Once more: nothing is taken in twice.',
  attackers: 'Who failed most often?',
  seal: 'Wait until all of it is sealed',
  sealed: (entries: number) => `${entries} entries are sealed in signed Merkle trees; nothing waits.`,
  verify: 'Verify',
  clean: 'Clean: every row, entry, signature and trigger is as it was.',
  tamper: 'Now a superuser, who may do anything, tampers',
  tamperSaid: 'Each attempt uses what only a superuser can do, then restores the guards to leave no trace.',
  found: (kind: string, name: string) => `Found and named: ${kind} ${name}`,
  undone: 'Undone; verification is clean again.',
  tamperings: {
    change: 'An order is made cheaper in the trail',
    remove: 'The trace of a deletion is removed',
    insert: 'A change that never was is slipped in below the sealed frontier',
    rewrite: 'A row is changed and its ledger entry rewritten to the matching hash',
    disable: 'Recording is switched off',
  },
  end: 'Five attempts, five found and named.',
  next: 'Try it on tables of your own: akashi up, akashi protect, akashi verify.',
  failed: (what: string) => `The demo did not find what it should: ${what}`,
  cancelled: 'Stopped; nothing is left behind.',
}

const ja: typeof en = {
  title: 'Akashi: ある店の記録と、それを改ざんする五つの試み',
  start: 'すべてを起動する: PostgreSQL、封印、定期処理、画面',
  startSaid: '専用のフォルダーで動き、デモが終わると消えます。',
  ready: (url) => `動きました。デモの間、画面は ${url} で見られます`,
  shop: '店の表を監査の下に置く',
  shopSaid: 'メールアドレスは、監査証跡にはソルト付きのダイジェストだけが残ります。',
  work: '二人が店で働く',
  workSaid:
    '誰の操作かは、アプリケーションが署名付きの文脈で伝えます。誰が、どこから、何を何に変えたかが残ります。',
  workDone: 'すべての変更が、行った人とともに記録され、署名も確かめられました。',
  events: '攻撃を受けた SSH サーバーのログを取り込む',
  real: '実際のログ 2,000 行です。',
  generated: '実際のログが手元にないので、同じ形のものを生成しました。',
  again: 'もう一度。同じものは二度入りません。',
  attackers: '失敗が多かったのは？',
  seal: 'すべてが封印されるまで待つ',
  sealed: (entries) => `${entries} 件が署名付きマークル木に封印され、待ちはありません。`,
  verify: '検証する',
  clean: '異常なし。行、台帳、署名、トリガーのすべてが元のままです。',
  tamper: '何でもできるスーパーユーザーが改ざんする',
  tamperSaid: 'どの試みもスーパーユーザーにしかできない方法を使い、跡を消すために守りを元に戻します。',
  found: (kind, name) => `発見、名指し: ${kind} ${name}`,
  undone: '元に戻しました。検証は再び異常なしです。',
  tamperings: {
    change: '証跡の中の注文を安くする',
    remove: '削除した跡を消す',
    insert: 'なかった変更を、封印済みの位置より前に差し込む',
    rewrite: '行を変え、台帳の記載も合うハッシュに書き換える',
    disable: '記録を止める',
  },
  end: '五つの試みは、五つとも見つかり、名指しされました。',
  next: 'ご自分の表でもお試しください: akashi up、akashi protect、akashi verify',
  failed: (what) => `デモが見つけるべきものを見つけませんでした: ${what}`,
  cancelled: '止めました。何も残していません。',
}

export type Messages = typeof en
export type Language = 'en' | 'ja'
export const messages: Readonly<Record<Language, Messages>> = { en, ja }
