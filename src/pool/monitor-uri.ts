import { atOnce } from '../core/at-once.ts';
import type { Arrival, ClientRequest, ClientResponse } from '../core/exchange.ts';
import type { OptionReader } from '../core/options.ts';
import { RequestBody } from '../forward/body-replay.ts';
import { cutResponse } from '../forward/client-response.ts';
import { writeStatus } from './answers.ts';
import type { PoolCore } from './pool-core.ts';

/** A target at which the pool says itself whether it serves. */
export interface MonitorSettings {
  readonly uri: string;
  readonly fails: ((pool: unknown) => boolean) | undefined;
}

/** Reads `monitorUri` and `monitorFail`. */
export function readMonitor(read: OptionReader): MonitorSettings | undefined {
  const uri = read.string('monitorUri', {
    default: undefined,
    allowed: "a target that begins with '/': '/healthz'",
    test: /^\/[\x21\x22\x24-\x7e]*$/,
  });
  const fails = read.function<(pool: unknown) => boolean>('monitorFail');
  if (read.has('monitorFail') && !read.has('monitorUri')) read.reject('monitorFail', "needs 'monitorUri'");
  return uri === undefined ? undefined : { uri, fails };
}

/** Whether somebody asks if the pool serves. */
export function isMonitored({ uri }: MonitorSettings, { method }: ClientRequest, arrival: Arrival): boolean {
  return arrival.target === uri && (method === 'GET' || method === 'HEAD') && arrival.upgrade === undefined;
}

/**
 * Says whether the pool serves: 200, or 503 while it closes or `monitorFail` holds.
 * @see HAProxy `monitor-uri`, `monitor fail`
 */
export function answerMonitor(
  core: PoolCore,
  { fails }: MonitorSettings,
  pool: unknown,
  request: ClientRequest,
  response: ClientResponse,
): void {
  const { method, url, headers, socket } = request;
  const context = { method, url, headers, socket, remoteAddress: socket.remoteAddress, request };
  const asked = {
    clientRequest: request,
    clientResponse: response,
    body: RequestBody.none,
    upgrade: undefined,
    expectContinue: false,
    context,
  };
  try {
    writeStatus(core.options.answers, asked, serves() ? 200 : 503, core.reportFault);
  } catch (fault) {
    core.reportFault('monitorUri', fault); // a response that somebody else has tampered with
    cutResponse(response);
  }

  function serves(): boolean {
    if (core.closing) return false;
    try {
      return !fails || !atOnce(fails(pool));
    } catch (error) {
      core.reportFault('monitorFail', error);
      return false;
    }
  }
}
