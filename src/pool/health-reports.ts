import { describe } from '../health/health-check.ts';
import type { Monitor } from '../health/monitor.ts';
import type { MonitorEvents } from '../health/monitor-events.ts';
import type { OutlierEvents } from '../health/outliers.ts';
import type { Server } from '../servers/server.ts';
import type { BackendServer } from './backend-server.ts';
import type { PoolCore } from './pool-core.ts';
import { changeMaxconn, changeWeight } from './server-changes.ts';

/**
 * What a pool does with what its monitor finds: schedulers hear of it, and whoever listens.
 * @param monitor gives the monitor, which is not there yet
 */
export function monitorEvents(core: PoolCore, monitor: () => Monitor, onDecided: () => void): MonitorEvents {
  const changed = (server: Server): boolean => {
    server.recalculate(core.environment.now());
    return core.serverChanged(server as BackendServer);
  };
  return {
    onStateChange(server, { from, to, reason }) {
      changed(server);
      const wasUp = from === 'running' || from === 'starting';
      const isUp = to === 'running' || to === 'starting';
      if (wasUp !== isUp)
        core.emit(isUp ? 'server:up' : 'server:down', {
          server: server.name,
          reason,
          state: monitor().status(server),
        });
      if (to === 'stopped') core.markedDown(server as BackendServer);
      else if (isUp && !wasUp) core.markedUp(server as BackendServer);
    },
    onAdminChange(server, { from, to, reason }) {
      if (to === 'maint') (server as BackendServer).connections.clear();
      const restored = changed(server);
      core.emit('server:state', { server: server.name, from, to, reason });
      // A listener may have removed it.
      if (restored && !server.removed) core.emit('server:restored', { server: server.name });
      if (to === 'maint') core.markedDown(server as BackendServer);
      else if (from === 'maint') core.markedUp(server as BackendServer);
    },
    onCheck(server, result, durationMs, byAgent) {
      if (!core.hears('server:check')) return;
      const { code, status } = result;
      core.emit('server:check', {
        server: server.name,
        result: result.result,
        code,
        status,
        description: describe(result),
        durationMs,
        agent: byAgent,
      });
    },
    onWeightChange: changed,
    onAgentWeight: (server, weight) => changeWeight(core, server as BackendServer, weight),
    onAgentMaxconn: (server, maxconn) => changeMaxconn(core, server as BackendServer, maxconn),
    onFunctionFault: core.reportOnce,
    onDecided,
  };
}

/** What a pool does with what its live traffic shows. */
export function outlierEvents(core: PoolCore): OutlierEvents {
  return {
    onChange: (server) => core.ejectionChanged(server as BackendServer),
    onEjected: (server, ejection) => core.emit('server:ejected', { server: server.name, ...ejection }),
    onHalfOpen: (server) => core.emit('server:half-open', { server: server.name }),
    onRestored: (server) => core.emit('server:restored', { server: server.name }),
  };
}
