export {
  type Assumptions,
  assumptionsSchema,
  parseTiers,
  presets,
} from './assumptions.ts'
export { chartSvg, dollars } from './chart.ts'
export { type Forecast, forecast } from './forecast.ts'
export { type Prices, pricesSchema, tokyo } from './prices.ts'
