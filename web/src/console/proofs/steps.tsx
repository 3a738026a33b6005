import type { Verified } from '@akashi/client/proof'
import { IconCircleCheck, IconCircleMinus, IconCircleX } from '@tabler/icons-react'
import { moment } from '../../i18n/when.ts'
import { useTexts } from '../locales/index.ts'
import classes from './steps.module.css'

const icons = { passed: IconCircleCheck, failed: IconCircleX, skipped: IconCircleMinus }

/** The result of a check: what it proves, and each step with the value that it gave. */
export function Steps({ checked }: { readonly checked: Verified }) {
  const t = useTexts()
  const { proven, steps } = checked
  return (
    <div>
      <div className={classes['verdict']} data-ok={proven !== null} role="status">
        {proven === null ? <IconCircleX size={26} aria-hidden /> : <IconCircleCheck size={26} aria-hidden />}
        <div>
          <div className={classes['title']}>{t(proven === null ? 'proofs.failed' : 'proofs.passed')}</div>
          <div className={classes['detail']}>
            {proven === null
              ? t('proofs.failedDetail')
              : t('proofs.passedDetail', {
                  log: proven.log,
                  position: proven.position,
                  size: proven.size,
                  at: moment(proven.at),
                })}
          </div>
        </div>
      </div>
      <ol className={classes['steps']}>
        {steps.map(({ name, state, detail }) => {
          const Icon = icons[state]
          return (
            <li key={name} className={classes['step']} data-state={state}>
              <Icon size={18} aria-label={t(`proofs.state.${state}`)} role="img" />
              <div className={classes['words']}>
                <div className={classes['name']}>{t(`proofs.step.${name}`)}</div>
                {detail !== '' && <code className={classes['value']}>{detail}</code>}
              </div>
            </li>
          )
        })}
      </ol>
      {proven !== null && (
        <dl className={classes['facts']}>
          <div>
            <dt>{t('proofs.row')}</dt>
            <dd>{proven.id}</dd>
          </div>
          <div>
            <dt>{t('proofs.origin')}</dt>
            <dd>{proven.origin}</dd>
          </div>
          {proven.cosignatures.length > 0 && (
            <div>
              <dt>{t('proofs.others')}</dt>
              <dd>
                {proven.cosignatures
                  .map(({ witness, state }) => `${witness} (${t(`proofs.cosignature.${state}`)})`)
                  .join(', ')}
              </dd>
            </div>
          )}
        </dl>
      )}
    </div>
  )
}
