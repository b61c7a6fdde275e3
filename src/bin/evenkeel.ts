#!/usr/bin/env node
import { parseCommandLine } from './arguments.ts';
import { HELP, version } from './help.ts';
import { ListenError, run } from './run.ts';
import { Screen } from './screen.ts';
import { readSettings } from './settings.ts';
import { onStopSignal } from './stop-signals.ts';
import { UsageError } from './usage-error.ts';

async function main(argv: readonly string[]): Promise<void> {
  const command = parseCommandLine(argv);
  if (command.ask === 'run') {
    const running = await run(readSettings(command), new Screen(process.stdout));
    onStopSignal(() => void running.drain());
  } else process.stdout.write(command.ask === 'help' ? HELP : `${version()}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof UsageError || error instanceof ListenError)) throw error;
  process.stderr.write(`evenkeel: ${error.message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
