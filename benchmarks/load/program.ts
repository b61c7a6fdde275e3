import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { installed, type Started, start } from './process.ts';

/** A server program that is configured by one file. */
export interface Program {
  readonly binary: string;
  configuration(place: { port: number; servers: readonly number[]; directory: string }): string;
  arguments(file: string, directory: string): readonly string[];
  /** Reads its version from what it prints for `-v`. */
  version(output: string): string | undefined;
}

export function versionOf(program: Program): string {
  const binary = installed(program.binary);
  if (binary === undefined) return 'not installed';
  const { stdout, stderr } = spawnSync(binary, ['-v'], { encoding: 'utf8' });
  return program.version(stdout + stderr) ?? 'unknown version';
}

/** Starts a program with its configuration in a folder of its own, and waits until it accepts connections. */
export async function startProgram(
  program: Program,
  place: { port: number; servers: readonly number[]; directory: string },
  core: number | undefined,
): Promise<Started> {
  const binary = installed(program.binary);
  if (binary === undefined) throw new Error('not installed');
  mkdirSync(place.directory, { recursive: true, mode: 0o755 });
  const file = join(place.directory, `${program.binary}.conf`);
  writeFileSync(file, program.configuration(place));
  const started = start([binary, ...program.arguments(file, place.directory)], { core });
  for (let tries = 0; !(await accepts(place.port)); tries++) {
    if (started.child.exitCode !== null || tries > 100) throw new Error(started.complaint() || 'it does not listen');
    await delay(50);
  }
  return started;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (connected: boolean): void => {
      socket.destroy();
      resolve(connected);
    };
    socket.on('connect', () => end(true)).on('error', () => end(false));
  });
}
