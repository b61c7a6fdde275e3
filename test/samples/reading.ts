import type { RequestContext } from '#src/core/context.ts';
import { compileSample, type SampleEnvironment, SampleSyntaxError, type SampleValue } from '#src/samples/index.ts';

/** Draws the middle, and believes what the socket says. */
export const environment: SampleEnvironment = {
  random: () => 0.5,
  addressOf: ({ socket }) => socket?.remoteAddress,
};

export function read(expression: string, context: RequestContext = {}): SampleValue | undefined {
  return compileSample(expression, environment).read(context);
}

/** The error of an expression; its message, when it has none, says so. */
export function errorOf(expression: string): SampleSyntaxError {
  try {
    compileSample(expression, environment);
  } catch (error) {
    if (error instanceof SampleSyntaxError) return error;
    throw error;
  }
  return new SampleSyntaxError(0, `an error in ${expression}`, 'none');
}

/** As a configuration would have it between double quotes. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, '\\$&')}"`;
}
