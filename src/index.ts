export type {
  AttachOptions,
  Authorize,
  Denial,
  Middleware,
  MiddlewareOptions,
  UpgradeListener,
  UpgradeOptions,
} from './adapters/node-http.ts';
export type { HttpReuse } from './connections/connection-pool.ts';
export type { CarriedContext, RequestContext } from './core/context.ts';
export type { Environment, Timer } from './core/environment.ts';
export {
  ConfigError,
  type ConfigFault,
  ERRORS,
  type ErrorCode,
  EvenkeelError,
  type TerminationFlags,
  type TimeLimit,
} from './core/errors.ts';
export type * from './core/events.ts';
export type { Duration, Size } from './core/units.ts';
export type { CookieRewrite, HttpProxyListeners, HttpProxyOptions } from './forward/http-proxy-options.ts';
export type { HashFunctionName } from './hashing/functions.ts';
export type { AgentCheckOptions } from './health/agent-check.ts';
export type { ByteExpectOption, ByteExpectOptions } from './health/byte-expect.ts';
export type { CheckTargetOptions } from './health/check-target.ts';
export type { BreakerState } from './health/circuit-breaker.ts';
export type { ConnectOptions } from './health/connect-step.ts';
export type { ExternalCheckOptions } from './health/external-check.ts';
export type { FieldMatch, TextMatch } from './health/field-match.ts';
export type { CheckFunction } from './health/function-check.ts';
export type { GrpcCheckOptions } from './health/grpc-check.ts';
export type { CheckCode, CheckResult, CheckVerdict } from './health/health-check.ts';
export type { HttpCheckOptions, HttpStep, HttpStepsOptions } from './health/http-check.ts';
export type { ExpectOption } from './health/http-expect.ts';
export type { HttpRequestOptions } from './health/http-request.ts';
export type {
  CheckDefinition,
  CheckOption,
  CheckType,
  HealthchecksOption,
  HttpchkOption,
  ScriptedCheck,
} from './health/index.ts';
export type { LdapCheckOptions } from './health/ldap-check.ts';
export type { MysqlCheckOptions } from './health/mysql-check.ts';
export type {
  LatencyOutlierOptions,
  OutlierOptions,
  Percentage,
  RetryAfterOptions,
  SuccessRateOptions,
} from './health/outlier-options.ts';
export type { PgsqlCheckOptions } from './health/pgsql-check.ts';
export type { RedisCheckOptions } from './health/redis-check.ts';
export type { Observe, OnError } from './health/request-observer.ts';
export type { InitState } from './health/rise-fall.ts';
export type { HealthOptions } from './health/settings.ts';
export type { SmtpCheckOptions } from './health/smtp-check.ts';
export type { SpopCheckOptions } from './health/spop-check.ts';
export type { SslHelloCheckOptions } from './health/ssl-hello-check.ts';
export type { StepAnswer, StepContext, StepFunction } from './health/step-run.ts';
export type { StatusOptions } from './health/step-status.ts';
export type { TcpCheckOptions } from './health/tcp-check.ts';
export type { TcpStep } from './health/tcp-steps.ts';
export type { CookieObject, CookieOption, CookiePhrase, CookieSignOptions } from './persistence/cookie-options.ts';
export type { CookieFlag, CookieMode } from './persistence/cookie-phrase.ts';
export type {
  StickPhrase,
  StickResponseContext,
  StickRule,
  StickRuleObject,
  TablesOption,
} from './persistence/stick-options.ts';
export { StickTable } from './persistence/stick-table.ts';
export type { EntryCount, StickTableOptions, StickTablePhrase } from './persistence/stick-table-options.ts';
export type { StoredDataWord } from './persistence/stored-data.ts';
export type {
  ArrayName,
  CounterName,
  DatumName,
  OperatorTable,
  RateName,
  RequestTable,
  StickChange,
  StickComparison,
  StickData,
  StickEntry,
  StickFilter,
  StickKey,
  StickKeyType,
  Table,
  Tracked,
  Tracking,
} from './persistence/table.ts';
export type { ErrorAnswer, ErrorFilesOption } from './pool/answers.ts';
export type { AcquireOptions, GraceOptions, RunOptions } from './pool/call-options.ts';
export type { Explanation, ServerLoad } from './pool/explain.ts';
export type { HedgeOptions, Quantile } from './pool/hedging.ts';
export type { Lease, LeaseResult } from './pool/lease.ts';
export type {
  DefaultServerOptions,
  ForwardedOptions,
  ForwardedPhrase,
  ForwardForOptions,
  ForwardForPhrase,
  PoolOptions,
  ServerOptions,
  TimeoutOptions,
} from './pool/options.ts';
export { type CloseResult, Pool } from './pool/pool.ts';
export type { PoolServer, Weight } from './pool/pool-server.ts';
export type { Priority } from './pool/priority.ts';
export type { RetryBudgetOptions } from './pool/retry-budget.ts';
export type { RetryOn, RetryOnPhrase, RetryStatus } from './pool/retry-options.ts';
export type { AnswerFunction, RuleAnswer } from './pool/rule-answers.ts';
export type { FieldRule } from './pool/rule-fields.ts';
export type { LocationFunction, RuleRedirect } from './pool/rule-redirect.ts';
export type { RuleTimeouts } from './pool/rule-treatment.ts';
export type {
  AnswerRule,
  HeaderRule,
  RequestRule,
  RequestRuleContext,
  ResponseRule,
  ResponseRuleContext,
  RuleResponse,
} from './pool/rules.ts';
export type { CheckStats, PoolStats, ResponseClasses, ServerStats } from './pool/stats.ts';
export type { Pem, TlsOptions } from './pool/tls-options.ts';
export type { SampleFunction, SampleValue } from './samples/index.ts';
export type {
  HashMethod,
  HashPreserveAffinity,
  HashTypeObject,
  HashTypeOption,
  HashTypePhrase,
} from './schedulers/hash-type.ts';
export type { AlgorithmName, BalanceObject, BalanceOption, BalancePhrase } from './schedulers/index.ts';
export type { HashedKey, PoolView, Scheduler, SchedulerFactory } from './schedulers/scheduler.ts';
export type { Address } from './servers/address.ts';
export type { AdminState, HashKey, OperationalState, ServerView } from './servers/server.ts';
