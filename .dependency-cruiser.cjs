/**
 * Who may import whom. `contexts` is the whole table: a folder of src/ that is not in it is refused,
 * and so is every import that it does not list. The contract, below all of them, may be imported by all.
 */
const base = ['foundation', 'postgres', 'object-store', 'keys']
const domain = [
  'audit',
  'security',
  'identity',
  'chat',
  'lifecycle',
  'detection',
  'delivery',
  'backup',
  'report',
  'evidence',
]

const contexts = {
  foundation: [],
  postgres: ['foundation'],
  'object-store': ['foundation'],
  keys: ['foundation'],
  audit: base,
  security: ['foundation', 'postgres'],
  identity: ['foundation', 'postgres', 'keys', 'security'],
  chat: [...base, 'identity', 'security'],
  lifecycle: [...base, 'audit'],
  detection: ['foundation', 'postgres', 'audit', 'security', 'lifecycle'],
  delivery: ['foundation', 'postgres', 'object-store', 'keys', 'security'],
  backup: base,
  report: base,
  evidence: ['foundation', 'postgres', 'keys', 'audit'],
  operations: [...base, ...domain.filter((context) => context !== 'evidence')],
  http: [...base, ...domain, 'operations'],
  start: [...base, 'audit', 'identity', 'chat', 'lifecycle', 'backup', 'report', 'operations', 'http'],
  cli: [...base, ...domain, 'operations', 'start'],
}

/** Packages that one place alone may import: package → that place, as a pattern of paths. */
const packages = {
  pg: '^src/postgres/',
  'pg-copy-streams': '^src/postgres/',
  '@aws-sdk/client-s3': '^src/object-store/s3[.]ts$',
  '@azure/storage-blob': '^src/object-store/azure[.]ts$',
  '@google-cloud/storage': '^src/object-store/gcs[.]ts$',
  '@aws-sdk/client-kms': '^src/keys/aws-kms[.]ts$',
  '@duckdb/node-api': '^(src/lifecycle/|bench/(archive|query)[.]ts$)',
  nodemailer: '^src/delivery/',
  '@aws-sdk/client-securityhub': '^src/delivery/',
  'd3-scale': '^src/report/charts[.]ts$',
  'd3-shape': '^src/report/charts[.]ts$',
  pdfmake: '^src/report/pdf[.]ts$',
  '@opentelemetry/sdk-trace': '^src/start/traces/',
  '@opentelemetry/exporter-trace-otlp-http': '^src/start/traces/',
  fastify: '^src/http/',
  commander: '^src/cli/',
}

// The native TypeScript compiler has no JavaScript interface, so swc parses for dependency-cruiser. Its
// visitor predates `using` and stops at one with an error; it has the shape of a variable declaration.
const { Visitor } = require('@swc/core/Visitor.js')
const { visitStatement } = Visitor.prototype
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement)
  this.visitVariableDeclarators(statement.decls)
  return statement
}

// It reads every file as TypeScript without JSX, which the pages are written in.
const { Compiler } = require('@swc/core')
const { parseFileSync } = Compiler.prototype
Compiler.prototype.parseFileSync = function (path, options, ...rest) {
  return parseFileSync.call(this, path, { ...options, tsx: path.endsWith('x') }, ...rest)
}

const either = (names) => `(${names.join('|')})`

/** Resolved inside node_modules, or the bare name where the package is not installed. */
const packagePath = (name) => `(^|node_modules/)(@types/)?${name.replaceAll('.', '[.]')}(/|$)`

const importsOfContexts = Object.entries(contexts).map(([name, allowed]) => ({
  name: `imports-of-${name}`,
  comment:
    allowed.length === 0 ? `${name} imports nothing of ours` : `${name} may import ${allowed.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${name}/` },
  to: { path: '^src/', pathNot: `^src/${either([name, ...allowed])}/` },
}))

const homesOfPackages = Object.entries(packages).map(([name, home]) => ({
  name: `home-of-${name}`,
  comment: `${name} is imported under ${home} only`,
  severity: 'error',
  from: { path: '^(src|scripts|bench)/', pathNot: home },
  to: { path: packagePath(name) },
}))

module.exports = {
  forbidden: [
    ...importsOfContexts,
    ...homesOfPackages,
    {
      name: 'context-in-table',
      comment: 'a folder of src/ is a context and has its row in the table above',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: `^src/${either(Object.keys(contexts))}/` },
    },
    {
      name: 'one-door',
      comment: 'a context is entered through its index.ts',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/', pathNot: ['^src/$1/', '^src/[^/]+/index[.]ts$'] },
    },
    {
      name: 'one-door-of-the-contract',
      comment: 'the contract is entered through its index.ts; what needs no schema also without them',
      severity: 'error',
      from: { pathNot: '^contract/' },
      to: { path: '^contract/', pathNot: '^contract/(index|log-columns|trail)[.]ts$' },
    },
    {
      name: 'one-door-of-the-client',
      comment: 'the client is entered as a package, through the entry points of its package.json',
      severity: 'error',
      from: { pathNot: '^client/' },
      to: { path: '^client/src/', pathNot: '^client/src/(index[.]ts|[^/]+/index[.]ts)$' },
    },
    {
      name: 'client-stands-alone',
      comment: 'applications install the client without the server',
      severity: 'error',
      from: { path: '^client/src/' },
      to: { path: '^(src|test|scripts|bench|web|infra)/' },
    },
    {
      name: 'contract-imports-zod-only',
      comment: 'clients get the contract without anything of the server',
      severity: 'error',
      from: { path: '^contract/' },
      to: { pathNot: ['^contract/', packagePath('zod')] },
    },
    {
      name: 'one-door-for-tools',
      comment: 'scripts and benchmarks enter a context through its index.ts',
      severity: 'error',
      from: { path: '^(scripts|bench)/' },
      to: { path: '^src/', pathNot: '^src/[^/]+/index[.]ts$' },
    },
    {
      name: 'only-the-product',
      comment: 'the server package knows nothing of its tests, tools and the other workspaces',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts|bench|web|infra)/' },
    },
    {
      name: 'web-knows-the-contract-only',
      comment: 'the web client knows the contract, never the server code behind it',
      severity: 'error',
      from: { path: '^web/' },
      to: { path: '^(src|test|scripts|bench|infra)/' },
    },
    {
      name: 'infra-stands-alone',
      comment: 'the infrastructure has packages of its own and deploys the product without importing it',
      severity: 'error',
      from: { path: '^infra/' },
      to: { path: '^(contract|src|test|scripts|bench|web)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'a module that nothing imports is dead or misplaced',
      severity: 'error',
      from: {
        orphan: true,
        path: '^(client/src|contract|src|scripts|bench|web|infra)/',
        pathNot: ['^src/[^/]+/index[.]ts$', '^client/src/[^/]+/index[.]ts$', '^web/public/'],
      },
      to: {},
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared',
      comment: 'an imported package stands in package.json',
      severity: 'error',
      from: { path: '^(src|scripts|bench|test|infra)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'production-packages-only',
      comment: 'the server package runs without its development dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    parser: 'swc',
    // Type-only imports count like any other.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(((web|client)/)?dist|client/test/prisma/generated|infra/(cdk[.]out|coverage))/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
}
