import { Component, type ReactNode } from 'react'
import { ErrorPage } from './error-page.tsx'
import { PartNotLoaded } from './lazily.tsx'

interface Props {
  readonly children: ReactNode
  /** Renders the children again when it changes, for example with the address. */
  readonly resetKey?: string
  /** Called instead of showing an error page, for parts that the page can do without. */
  readonly onError?: (error: Error) => void
}

interface State {
  readonly error: Error | null
  readonly resetKey: string | undefined
}

/** Replaces only the part of the page that failed. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null, resetKey: this.props.resetKey }

  static getDerivedStateFromError(error: Error): Partial<State> {
    return { error }
  }

  static getDerivedStateFromProps(props: Props, state: State): Partial<State> | null {
    return props.resetKey === state.resetKey ? null : { error: null, resetKey: props.resetKey }
  }

  override componentDidCatch(error: Error): void {
    if (error instanceof PartNotLoaded) error.forget()
    this.props.onError?.(error)
  }

  override componentDidMount(): void {
    addEventListener('online', this.#retryLoading)
  }

  override componentWillUnmount(): void {
    removeEventListener('online', this.#retryLoading)
  }

  override render() {
    const { error } = this.state
    if (error === null) return this.props.children
    return this.props.onError === undefined ? <ErrorPage error={error} onRetry={this.#retry} /> : null
  }

  readonly #retry = (): void => this.setState({ error: null })

  readonly #retryLoading = (): void => {
    if (this.state.error instanceof PartNotLoaded) this.#retry()
  }
}
