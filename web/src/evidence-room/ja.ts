import type { Translated } from '../i18n/index.ts'
import type { en } from './en.ts'

export const ja: Translated<typeof en> = {
  title: '共有された証拠',
  lead: '{{until}}まで閲覧できます。表示・検証・ダウンロードのたびに記録されます。',
  opening: 'リンクを開いています…',
  invalid: 'このリンクは使えません',
  invalidDetail:
    'リンクが途中で切れているか、期限が切れたか、取り消されています。リンク全体をもう一度開くか、送信者に新しいリンクを依頼してください。',
  failed: 'ページを読み込めませんでした',
  logs: 'ログ',
  logsLead: '{{from}}から{{to}}までの行',
  check: '行を検証して表示',
  checkDetail: 'ブラウザがすべてのハッシュを計算し、署名と証人を検証します。何も送信されません。',
  download: '証拠ファイルをダウンロード',
  downloadDetail: 'オフラインで自らを検証する、1 つの HTML ファイルです。保管にお使いください。',
  reports: 'コンプライアンスレポート',
  noReports: '共有されたレポートはありません。',
  leave: '終了',
  left: '閲覧を終了しました',
  leftDetail: 'もう一度閲覧するには、リンクを開き直してください。',
  find: '行を絞り込む',
  rows: '行',
  shown: '{{all}}行のうち{{shown}}行',
  none: '条件に合う行はありません。',
  row: '位置{{position}}の行',
}
