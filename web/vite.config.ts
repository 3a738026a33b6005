import react from '@vitejs/plugin-react'
import mantine from 'postcss-preset-mantine'
import { defineConfig } from 'vite'

/** Where `npm start` serves; `npx vite web` asks it for everything under /v1. */
const SERVER = 'http://127.0.0.1:4180'

export default defineConfig({
  plugins: [react()],
  css: { postcss: { plugins: [mantine()] } },
  build: {
    target: 'es2023',
    manifest: 'manifest.json',
    // A data: URL would be one more thing for the content security policy to allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The names of all emoji in a language, loaded when somebody looks for one.
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { '/v1': { target: SERVER, ws: true }, '/docs': SERVER, '/status': SERVER } },
})
