import { Component, type ReactNode } from 'react'
import { Failure } from './failure.tsx'

interface Props {
  readonly children: ReactNode
  /** When it changes, such as with the address, what failed is tried again. */
  readonly resetKey?: string
}

interface State {
  readonly error: Error | null
  readonly resetKey: string | undefined
}

/** Shows that a part stopped in place of that part, and leaves the rest alone. */
export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: null, resetKey: this.props.resetKey }

  static getDerivedStateFromError(error: Error): Partial<State> {
    return { error }
  }

  static getDerivedStateFromProps(props: Props, state: State): Partial<State> | null {
    return props.resetKey === state.resetKey ? null : { error: null, resetKey: props.resetKey }
  }

  override render() {
    const { error } = this.state
    return error === null ? this.props.children : <Failure error={error} onRetry={() => location.reload()} />
  }
}
