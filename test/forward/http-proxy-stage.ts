import type { TestContext } from 'node:test';
import type { HttpProxyOptions, PoolOptions } from '#src/index.ts';
import { type OpenFront, Stage } from '../conformance/stage.ts';
import { ADAPTERS, type Setting } from '../support/fronts.ts';
import type { Origin, Script } from '../support/origin.ts';

/** A stage of node:http and http-proxy-3. */
export function proxyStage(t: TestContext, adapterName: string = 'node:http'): Stage {
  const adapter = ADAPTERS.find(({ name }) => name === adapterName);
  if (!adapter) throw new Error(`there is no adapter ${adapterName}`);
  return new Stage(t, { adapter, engine: 'http-proxy-3' });
}

/** A server that does what `script` says, and a pool of it alone. */
export function proxied(
  t: TestContext,
  httpProxy: HttpProxyOptions,
  script?: Script,
  options: PoolOptions<never> = {},
  setting?: Setting,
): Promise<{ origin: Origin; front: OpenFront }> {
  return proxyStage(t).both(script, { httpProxy, ...options }, setting);
}
