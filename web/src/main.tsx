import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './theme/global.css'
import './theme/touch.css'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { startTexts } from './i18n/index.ts'
import { keepForOffline } from './offline.ts'
import { adoptTheme } from './theme/index.ts'

const root = document.getElementById('root')
if (root === null) throw new Error('the page has no element root')
adoptTheme()
keepForOffline()
await startTexts()
createRoot(root).render(<App />)
