export { adoptTheme, schemeManager, theme } from './theme.ts'
