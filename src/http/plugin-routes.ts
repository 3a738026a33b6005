import type { Access } from './access.ts'
import type { App } from './schema.ts'

/** Registers a plugin that adds its own routes below `url`, all with this access. */
export function pluginRoutes(
  app: App,
  url: `${string}*`,
  summary: string,
  access: Access,
  add: (scope: App) => void,
): void {
  app.register((scope: App, _, done) => {
    app.accessTable.push({ method: 'GET', url, access, schema: { summary, tags: ['pages'] } })
    scope.decorate<Access>('accessOfPlugin', access)
    add(scope)
    done()
  })
}
