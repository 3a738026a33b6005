/** The frame around every page. */
export { chooseLanguage } from './choose-language.ts'
export { ErrorBoundary } from './error-boundary.tsx'
export { Gate } from './gate.tsx'
export { Layout } from './layout.tsx'
export { NotFound } from './not-found.tsx'
export { type Shortcut, useShortcuts } from './shortcuts.ts'
export { usePageTitle } from './title.ts'
