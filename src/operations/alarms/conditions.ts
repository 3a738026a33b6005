/**
 * The conditions that alarms are raised for: severity, the setting with the limit, how long the condition must hold, and
 * the remedy. `look.ts` and its neighbours measure them; docs/operations.md has a section for each.
 */
import type { AlarmDefinition, AlarmSeverity } from '@akashi/contract'

export interface Condition {
  readonly severity: AlarmSeverity
  /** The setting that holds its limit. */
  readonly setting?: string
  /** Seconds that it must hold before the alarm opens; default 0. */
  readonly seconds?: number
  readonly en: readonly [title: string, action: string]
  readonly ja: readonly [title: string, action: string]
}

export const conditions = {
  connections: {
    severity: 'high',
    setting: 'alarm.connections_percent',
    seconds: 60,
    en: [
      'Connections are running out',
      'Find the client that opens most of them (pg_stat_activity), lower its pool size, or raise max_connections.',
    ],
    ja: [
      '接続数が上限に近づいています',
      'pg_stat_activity で接続の多いクライアントを特定し、プールを小さくするか max_connections を増やしてください。',
    ],
  },
  disk: {
    severity: 'high',
    setting: 'disk.max_used_percent',
    en: [
      'The disk of the database is filling up',
      'Free space or enlarge the disk. Below 1 GiB of free space, WAL that waits for the object store is given up.',
    ],
    ja: [
      'データベースのディスク使用率が高くなっています',
      '空き容量を増やすかディスクを拡張してください。空きが 1 GiB になると、オブジェクトストア待ちの WAL は破棄されます。',
    ],
  },
  data_not_writable: {
    severity: 'critical',
    en: [
      'The data folder cannot be written',
      'Check whether its disk is full or mounted read-only, and whether the account that runs Akashi owns it.',
    ],
    ja: [
      'データフォルダーに書き込めません',
      'ディスクの空き、読み取り専用マウント、Akashi の実行アカウントの所有権を確認してください。',
    ],
  },
  slow_statement: {
    severity: 'medium',
    setting: 'alarm.statement_seconds',
    en: [
      'A statement has been running for too long',
      'See what it waits for (pg_stat_activity: wait_event, pg_blocking_pids). pg_cancel_backend(pid) cancels only the statement.',
    ],
    ja: [
      '長時間実行中の SQL があります',
      'pg_stat_activity の wait_event と pg_blocking_pids で待ちの原因を確認してください。pg_cancel_backend(pid) でその SQL だけを止められます。',
    ],
  },
  deadlock: {
    severity: 'medium',
    setting: 'alarm.deadlock_minutes',
    en: [
      'Transactions deadlocked',
      "The server's log names both statements. Make the application lock rows in the same order, and retry transactions that fail.",
    ],
    ja: [
      'デッドロックが発生しました',
      'サーバーログに双方の SQL が記録されています。行をロックする順序をアプリケーション側で揃え、再試行を実装してください。',
    ],
  },
  replication_lag: {
    severity: 'high',
    setting: 'alarm.replication_lag_mb',
    seconds: 60,
    en: [
      'A standby is far behind',
      'Check that it is running, its disk and its network. If it has a replication slot, this server keeps WAL for it.',
    ],
    ja: [
      'スタンバイの遅延が大きくなっています',
      'スタンバイの稼働、ディスク、ネットワークを確認してください。レプリケーションスロットがある場合、WAL がこのサーバーに溜まります。',
    ],
  },
  transaction_age: {
    severity: 'high',
    setting: 'alarm.transaction_age_millions',
    en: [
      'Transaction ids are not being frozen',
      'End what prevents vacuum from freezing: old transactions, prepared transactions, idle replication slots. Then vacuum the oldest database.',
    ],
    ja: [
      'トランザクション ID の凍結が進んでいません',
      '長時間のトランザクション、準備済みトランザクション、使われていないレプリケーションスロットを解消してから VACUUM を実行してください。',
    ],
  },
  seal_lag: {
    severity: 'critical',
    en: [
      'Rows are not being sealed',
      'Check that a worker is running (akashi jobs), and its log. Rows that are not sealed are recorded but not yet protected against tampering.',
    ],
    ja: [
      '監査行が封印されていません',
      'ワーカーの稼働とログを確認してください(akashi jobs)。未封印の行は記録済みですが、まだ改ざん検知の対象ではありません。',
    ],
  },
  frontier_held: {
    severity: 'high',
    setting: 'alarm.frontier_seconds',
    en: [
      'An open transaction prevents rows from being sealed',
      'Ask the owner of the named process to end its transaction, or terminate it: select pg_terminate_backend(pid).',
    ],
    ja: [
      '終わらないトランザクションが封印を止めています',
      '表示されたプロセスの担当者に終了を依頼するか、pg_terminate_backend(pid) で終了させてください。',
    ],
  },
  ledger_watch: {
    severity: 'critical',
    en: [
      'Triggers or code that protect the record were removed or changed',
      "Run akashi verify, and find out who did it: the trail and the server's log show the login. Then restore the original state.",
    ],
    ja: [
      '記録を守るトリガーまたはコードが変更されています',
      'akashi verify を実行し、監査証跡とサーバーログで誰の操作かを調べ、元に戻してください。',
    ],
  },
  leader_lock: {
    severity: 'high',
    en: [
      'Another login holds a lock that belongs to the worker',
      "End the named session and revoke its login's right to connect; no application needs these locks.",
    ],
    ja: [
      '別のログインがワーカーのロックを保持しています',
      '表示されたセッションを終了し、そのログインの接続権限を見直してください。',
    ],
  },
  checkpoint_not_published: {
    severity: 'high',
    setting: 'alarm.publish_minutes',
    en: [
      'Checkpoints are not being published',
      'akashi jobs history publish-checkpoints shows why the job fails. Usually the object store cannot be written to.',
    ],
    ja: [
      'チェックポイントが公開されていません',
      'akashi jobs history publish-checkpoints で原因を確認してください。多くはオブジェクトストアへの書き込み失敗です。',
    ],
  },
  witness_silent: {
    severity: 'medium',
    setting: 'alarm.witness_minutes',
    en: [
      'A witness is not cosigning',
      'Check that the witness is running and can be reached from the worker. Until it cosigns, no third party attests that the log is append-only.',
    ],
    ja: [
      '証人が連署していません',
      '証人が稼働し、ワーカーから到達できるかを確認してください。その間、ログが追記のみであることを第三者が証明できません。',
    ],
  },
  witness_conflict: {
    severity: 'critical',
    en: [
      'A witness has cosigned a different history',
      'Run akashi verify. Either the database was restored to an earlier state, or somebody rewrote the record.',
    ],
    ja: [
      '証人が別の履歴に署名しています',
      'akashi verify を実行してください。データベースが過去の状態に戻されたか、記録が書き換えられています。',
    ],
  },
  verification_failed: {
    severity: 'critical',
    en: [
      'Verification found problems',
      'Run akashi verify, which lists the affected rows. Do not change the server until you know who changed what.',
    ],
    ja: [
      '検証で問題が見つかりました',
      'akashi verify を実行すると問題の行が表示されます。原因が分かるまでサーバーの状態を保全してください。',
    ],
  },
  verification_overdue: {
    severity: 'high',
    setting: 'alarm.verification_hours',
    en: [
      'The record has not been verified for too long',
      'akashi jobs history verify-incremental shows why the job does not finish. akashi verify runs a verification now.',
    ],
    ja: [
      '検証が長期間完了していません',
      'akashi jobs history verify-incremental で原因を確認してください。akashi verify で今すぐ実行できます。',
    ],
  },
  oldest_unchecked: {
    severity: 'medium',
    setting: 'alarm.unchecked_days',
    en: [
      'Part of the record has not been rechecked for too long',
      'akashi jobs history verify-scrub shows whether the job keeps up. akashi verify checks everything.',
    ],
    ja: [
      '長期間再検査されていない記録があります',
      'akashi jobs history verify-scrub で進み具合を確認してください。akashi verify は全件を検査します。',
    ],
  },
  crosscheck_discrepancy: {
    severity: 'critical',
    en: [
      'The trail and the write-ahead log disagree',
      'akashi crosscheck discrepancies lists the differences. Find the cause of each, then settle it with an explanation.',
    ],
    ja: [
      '監査証跡と WAL が一致しません',
      'akashi crosscheck discrepancies で内容を確認し、原因を調べたうえで説明を付けて処理してください。',
    ],
  },
  crosscheck_gap: {
    severity: 'high',
    en: [
      'A range of the write-ahead log was not compared',
      'akashi crosscheck gaps shows the cause. Compare the current tables with the trail (akashi verify --state), then settle the gap.',
    ],
    ja: [
      '照合されていない WAL の範囲があります',
      'akashi crosscheck gaps で理由を確認し、akashi verify --state で現在のテーブルを照合してから処理してください。',
    ],
  },
  crosscheck_stopped: {
    severity: 'high',
    seconds: 300,
    en: [
      'The trail is not being compared with the write-ahead log',
      'Start akashi up or akashi work. Until then the server keeps WAL for the comparison, which fills its disk.',
    ],
    ja: [
      '監査証跡と WAL の照合が止まっています',
      'akashi up または akashi work を起動してください。停止中は WAL がディスクに溜まります。',
    ],
  },
  partition_headroom: {
    severity: 'high',
    en: [
      'A table is about to run out of partitions',
      'Run akashi partitions apply. akashi jobs history partitions shows why the daily job did not create them.',
    ],
    ja: [
      'パーティションが不足しそうです',
      'akashi partitions apply を実行し、akashi jobs history partitions で日次ジョブの失敗原因を確認してください。',
    ],
  },
  archive_behind: {
    severity: 'medium',
    setting: 'alarm.archive_days',
    en: [
      'Closed partitions have not been archived',
      'akashi archive status shows why the last attempt failed. Nothing is deleted before it has been exported and compared.',
    ],
    ja: [
      '期間が終わったパーティションがアーカイブされていません',
      'akashi archive status で失敗理由を確認してください。エクスポートと照合が済むまで何も削除されません。',
    ],
  },
  store_away: {
    severity: 'critical',
    seconds: 120,
    en: [
      'The object store cannot be reached',
      'Check the network, the credentials and the bucket; akashi doctor tries each operation. Backups and checkpoints are waiting.',
    ],
    ja: [
      'オブジェクトストアに到達できません',
      'ネットワーク、認証情報、バケットを確認してください(akashi doctor が各操作を試します)。バックアップとチェックポイントは待機中です。',
    ],
  },
  store_not_owned: {
    severity: 'critical',
    en: [
      'Another installation owns the object store',
      'This installation cannot store backups. docs/runbooks/store-owner.md explains when to take the store over.',
    ],
    ja: [
      'オブジェクトストアは別の Akashi 環境が所有しています',
      'このサーバーからはバックアップされません。引き継ぎの判断は docs/runbooks/store-owner.md を参照してください。',
    ],
  },
  wal_kept: {
    severity: 'high',
    setting: 'alarm.wal_kept_mb',
    seconds: 120,
    en: [
      'WAL is waiting for the object store',
      'Check that a worker is running and that the store accepts data. Beyond backup.wal_limit_mb the WAL is given up, which leaves a gap.',
    ],
    ja: [
      'WAL の送信が滞っています',
      'ワーカーの稼働とオブジェクトストアの応答を確認してください。backup.wal_limit_mb を超えると WAL は破棄され、復元できない期間ができます。',
    ],
  },
  restorable_stands_still: {
    severity: 'critical',
    setting: 'backup.max_lag_minutes',
    en: [
      'The latest restorable moment is not advancing',
      'Find out why WAL does not reach the store: akashi jobs history backup-watch, docs/runbooks/wal.md.',
    ],
    ja: [
      '復元できる最新時刻が進んでいません',
      'akashi jobs history backup-watch と docs/runbooks/wal.md で WAL が届かない原因を確認してください。',
    ],
  },
  backup_age: {
    severity: 'critical',
    setting: 'backup.max_age_hours',
    en: [
      'There is no recent backup',
      'akashi jobs history backup-full shows why backups fail. akashi backup full takes one now.',
    ],
    ja: [
      '新しいバックアップがありません',
      'akashi jobs history backup-full で原因を確認してください。akashi backup full で今すぐ取得できます。',
    ],
  },
  drill_failed: {
    severity: 'high',
    en: [
      'The last recovery drill failed',
      'Its signed report shows what differed: akashi drill --list. Run akashi drill again once the cause is fixed.',
    ],
    ja: [
      '直近の復旧訓練が失敗しました',
      'akashi drill --list の署名付きレポートで相違点を確認し、修正後に akashi drill を再実行してください。',
    ],
  },
  drill_age: {
    severity: 'high',
    setting: 'backup.drill_max_age_days',
    en: [
      'No recovery drill has passed for too long',
      'Run akashi drill. akashi jobs history backup-drill shows why the monthly drill did not pass.',
    ],
    ja: [
      '復旧訓練の成功から時間が経っています',
      'akashi drill を実行し、akashi jobs history backup-drill で月次訓練の状況を確認してください。',
    ],
  },
  recovery_test_age: {
    severity: 'medium',
    setting: 'backup.recovery_test_max_age_days',
    en: [
      'No full recovery test has passed for too long',
      'Run akashi drill --latest. akashi jobs history backup-recovery-test shows why the half-yearly test did not pass.',
    ],
    ja: [
      '全体復旧テストの成功から時間が経っています',
      'akashi drill --latest を実行し、akashi jobs history backup-recovery-test で状況を確認してください。',
    ],
  },
  key_age: {
    severity: 'medium',
    en: [
      'The rotation of a key is more than a week overdue',
      'akashi jobs history rotate-keys shows why the job fails. akashi keys rotate rotates the key now.',
    ],
    ja: [
      '鍵のローテーションが 1 週間以上遅れています',
      'akashi jobs history rotate-keys で原因を確認してください。akashi keys rotate で今すぐローテーションできます。',
    ],
  },
  job_failed: {
    severity: 'medium',
    en: [
      'The last run of a job failed',
      'akashi jobs history JOB shows its message and hint; akashi jobs run JOB runs it again. The alarm clears when a run succeeds.',
    ],
    ja: [
      'ジョブの直近の実行が失敗しました',
      'akashi jobs history JOB でメッセージを確認し、akashi jobs run JOB で再実行してください。成功すると解消します。',
    ],
  },
  job_missed: {
    severity: 'high',
    seconds: 600,
    en: [
      'A job did not run when it was due',
      'Check that a worker that knows the job is running: akashi status, and the log of akashi work.',
    ],
    ja: [
      '予定時刻にジョブが実行されていません',
      'ワーカーが稼働しているかを akashi status と akashi work のログで確認してください。',
    ],
  },
  losses: {
    severity: 'critical',
    en: [
      'Changes were made without an audit row',
      'Fix the cause that the alarm names, then settle them with an explanation: akashi audit losses --settle TEXT.',
    ],
    ja: [
      '監査証跡に記録されなかった変更があります',
      '表示された原因を取り除き、akashi audit losses --settle TEXT で説明を付けて処理してください。',
    ],
  },
  login_failures: {
    severity: 'high',
    setting: 'alarm.login_failures',
    en: [
      'Many sign-ins are failing',
      'akashi events search --type authentication_failure shows the addresses. Block them at the proxy; accounts are locked automatically.',
    ],
    ja: [
      'サインインの失敗が急増しています',
      'akashi events search --type authentication_failure で接続元を確認し、プロキシで遮断してください。アカウントは自動でロックされます。',
    ],
  },
  access_review_overdue: {
    severity: 'medium',
    setting: 'access_review.max_age_days',
    en: [
      'The review of access rights is overdue',
      'akashi access-review list shows the review; akashi access-review show REVIEW lists the rights that are not signed off yet.',
    ],
    ja: [
      'アクセス権の棚卸しが期限を過ぎています',
      'akashi access-review list で棚卸しを、akashi access-review show REVIEW で未承認の権限を確認してください。',
    ],
  },
  certificate_expiry: {
    severity: 'high',
    setting: 'alarm.certificate_days',
    en: [
      'A certificate expires soon',
      'Renew the named certificate. Clients that verify it refuse to connect once it has expired.',
    ],
    ja: [
      '証明書の有効期限が近づいています',
      '表示された証明書を更新してください。期限が切れると、検証を行うクライアントは接続できなくなります。',
    ],
  },
  clock_skew: {
    severity: 'medium',
    setting: 'alarm.clock_skew_seconds',
    seconds: 60,
    en: [
      'The clocks of worker and database differ',
      'Synchronize both hosts with a time server (chrony). Event times and the expiry of contexts depend on it.',
    ],
    ja: [
      'ワーカーとデータベースの時計がずれています',
      '双方を時刻サーバー(chrony など)に同期させてください。イベントの時刻と署名の有効期限に影響します。',
    ],
  },
  retention_shortened: {
    severity: 'high',
    en: [
      'The retention of a log is about to be shortened',
      'Unless this is intended, restore the former policy before the date shown in the alarm: akashi archive policy set.',
    ],
    ja: [
      'ログの保持期間の短縮が予定されています',
      '意図しない場合は、表示された日までに akashi archive policy set で元に戻してください。',
    ],
  },
} as const satisfies Readonly<Record<string, Condition>>

export type ConditionName = keyof typeof conditions

export const conditionNames = Object.keys(conditions) as ConditionName[]

export function isCondition(name: string): name is ConditionName {
  return Object.hasOwn(conditions, name)
}

export function conditionOf(name: ConditionName): Condition {
  return conditions[name]
}

/** Where it is explained. */
export function runbookOf(name: ConditionName): string {
  return `docs/operations.md#${name}`
}

/** As shown to people, without how many alarms of it are open. */
export function definitionOf(name: ConditionName): Omit<AlarmDefinition, 'open'> {
  const { severity, setting, seconds, en, ja } = conditionOf(name)
  return {
    name,
    severity,
    title: { en: en[0], ja: ja[0] },
    action: { en: en[1], ja: ja[1] },
    runbook: runbookOf(name),
    setting: setting ?? null,
    seconds: seconds ?? 0,
  }
}
