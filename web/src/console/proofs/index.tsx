import { useQuery } from '@tanstack/react-query'
import { ago, moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import { CopyText } from '../parts/copy-text.tsx'
import { Fact, Facts } from '../parts/facts.tsx'
import { Columns, Panel, Screen } from '../parts/screen.tsx'
import { ShowCommand } from '../parts/show-command.tsx'
import { Loaded } from '../parts/state.tsx'
import { Tag } from '../parts/tag.tsx'
import { ledgerQuery, statusQuery } from '../queries.ts'
import { CheckPanel } from './check-panel.tsx'
import classes from './proofs.module.css'

/** Whether the record is proven, and the check of any proof in the browser. */
export function Proofs() {
  const t = useTexts()
  const status = useQuery(statusQuery)
  const heads = useQuery(ledgerQuery)
  return (
    <Screen
      title={t('nav.proofs')}
      lead={t('proofs.lead')}
      actions={
        <ShowCommand cli="akashi audit check proof.json --policy policy.txt" request="GET /v1/ledger" />
      }
    >
      <Columns>
        <CheckPanel />
        <div className={classes['side']}>
          <Panel title={t('proofs.verification')}>
            <Loaded query={status} rows={3}>
              {({ lastVerification: last, crosscheck, witnessConflicts }) => (
                <Facts>
                  <Fact term={t('proofs.lastVerification')}>
                    {last === null ? (
                      <Tag tone="warn">{t('common.never')}</Tag>
                    ) : (
                      <>
                        <Tag tone={last.ok ? 'good' : 'bad'}>
                          {last.ok ? t('proofs.unchanged') : t('proofs.problems', { count: last.problems })}
                        </Tag>
                        <time dateTime={last.at}>{ago(last.at)}</time>
                      </>
                    )}
                  </Fact>
                  <Fact term={t('proofs.crosscheck')}>
                    <Tag tone={crosscheck.state === 'running' ? 'good' : 'warn'}>
                      {t(`proofs.crosscheckState.${crosscheck.state}`)}
                    </Tag>
                    {t('proofs.discrepancies', { count: crosscheck.discrepancies })}
                  </Fact>
                  <Fact term={t('proofs.witnesses')}>
                    <Tag tone={witnessConflicts === 0 ? 'good' : 'bad'}>
                      {witnessConflicts === 0
                        ? t('proofs.noConflict')
                        : t('proofs.conflicts', { count: witnessConflicts })}
                    </Tag>
                  </Fact>
                </Facts>
              )}
            </Loaded>
          </Panel>
          <Panel title={t('proofs.logs')} lead={t('proofs.logsLead')}>
            <Loaded query={heads}>
              {({ logs }) => (
                <ul className={classes['logs']}>
                  {logs.map(({ log, size, root, keys }) => {
                    const sealed = status.data?.logs.find((each) => each.log === log)
                    return (
                      <li key={log}>
                        <div className={classes['log']}>
                          <b>{log}</b>
                          <span>{t('proofs.entries', { size: Number(size).toLocaleString() })}</span>
                        </div>
                        <Facts>
                          <Fact term={t('proofs.root')}>
                            <CopyText text={root} />
                          </Fact>
                          <Fact term={t('proofs.key')}>
                            <CopyText text={keys.at(-1) ?? '–'} />
                          </Fact>
                          {sealed?.sealedAt && (
                            <Fact term={t('proofs.sealed')}>{moment(sealed.sealedAt)}</Fact>
                          )}
                        </Facts>
                      </li>
                    )
                  })}
                </ul>
              )}
            </Loaded>
          </Panel>
        </div>
      </Columns>
    </Screen>
  )
}
