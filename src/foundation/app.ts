/** Identity of the application, in every log line and in the metric `akashi_app_info`. */
export interface App {
  readonly name: string
  readonly version: string
  readonly tier: string
  readonly environment: string
}
