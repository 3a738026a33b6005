import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { call } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { Panel } from '../parts/screen.tsx'
import { Loaded } from '../parts/state.tsx'
import classes from './matrix.module.css'

/** Which techniques of MITRE ATT&CK the rules look for, and what they found. */
export function Matrix() {
  const t = useTexts()
  const matrix = useQuery({
    queryKey: ['console', 'matrix'],
    queryFn: ({ signal }) => call('GET /v1/detection/matrix', { signal }),
  })
  return (
    <Panel title={t('findings.matrix')} lead={t('findings.matrixLead')}>
      <Loaded query={matrix} rows={6}>
        {({ tactics }) => (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached with the keyboard
          <section className={classes['scroll']} tabIndex={0} aria-label={t('findings.matrix')}>
            <div className={classes['matrix']}>
              {tactics.map(({ tactic, techniques }) => (
                <div key={tactic} className={classes['tactic']}>
                  <h3 className={classes['name']}>{tactic.replaceAll('-', ' ')}</h3>
                  <ul className={classes['techniques']}>
                    {techniques.map(({ technique, rules, findings, open }) => (
                      <li key={technique}>
                        <Link
                          to={`/console/findings/rules?open=${encodeURIComponent(rules[0] ?? '')}`}
                          className={classes['technique'] ?? ''}
                          data-state={open > 0 ? 'open' : findings > 0 ? 'found' : 'watched'}
                        >
                          <b>{technique}</b>
                          <span>{t('findings.ofRules', { count: rules.length })}</span>
                          <span>{t('findings.ofFindings', { count: findings })}</span>
                        </Link>
                      </li>
                    ))}
                  </ul>
                </div>
              ))}
            </div>
          </section>
        )}
      </Loaded>
    </Panel>
  )
}
