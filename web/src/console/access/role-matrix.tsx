import { actions } from '@akashi/contract'
import { useQuery } from '@tanstack/react-query'
import { call } from '../../api/index.ts'
import { useTexts } from '../locales/index.ts'
import { ExportMenu } from '../parts/export-menu.tsx'
import { Panel } from '../parts/screen.tsx'
import { Loaded } from '../parts/state.tsx'
import classes from './role-matrix.module.css'

/** Which role may do what, resource by resource. */
export function RoleMatrix() {
  const t = useTexts()
  const roles = useQuery({
    queryKey: ['console', 'roles'],
    queryFn: ({ signal }) => call('GET /v1/roles', { signal }),
  })
  const list = roles.data?.roles ?? []
  const resources = [
    ...new Set(
      list.flatMap(({ permissions }) => permissions.map((permission) => permission.split(':')[0] ?? '')),
    ),
  ].sort()
  const held = (permissions: readonly string[], resource: string) =>
    actions.filter((action) => permissions.includes(`${resource}:${action}`))
  return (
    <Panel
      title={t('access.matrix')}
      lead={t('access.matrixLead')}
      flush
      actions={
        <ExportMenu
          name="roles"
          rows={list}
          columns={(['name', 'tier', 'description', 'permissions'] as const).map((name) => ({
            name,
            value: (row: (typeof list)[number]) => row[name],
          }))}
        />
      }
    >
      <Loaded query={roles} rows={8}>
        {() => (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached with the keyboard
          <section className={classes['scroll']} tabIndex={0} aria-label={t('access.matrix')}>
            <table className={classes['matrix']}>
              <thead>
                <tr>
                  <th scope="col">{t('access.resource')}</th>
                  {list.map(({ name }) => (
                    <th key={name} scope="col">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {resources.map((resource) => (
                  <tr key={resource}>
                    <th scope="row">{resource}</th>
                    {list.map(({ name, permissions }) => {
                      const may = held(permissions, resource)
                      return (
                        <td key={name}>
                          {may.length === 0 ? (
                            <span className={classes['none']}>–</span>
                          ) : (
                            may.map((action) => (
                              <span key={action} className={classes['action']} data-action={action}>
                                {t(`access.actions.${action}`)}
                              </span>
                            ))
                          )}
                        </td>
                      )
                    })}
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
      </Loaded>
    </Panel>
  )
}
