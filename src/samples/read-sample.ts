import type { OptionReader } from '../core/options.ts';
import { type Fetches, sampleOf } from './compile.ts';
import { SampleSyntaxError } from './parse.ts';
import type { Sample, SampleEnvironment, SampleOption } from './sample.ts';

/** Reads an option that is a sample; `undefined` when it is absent or, then with a fault of the reader's, wrong. */
export function readSample(
  read: OptionReader,
  key: string,
  environment: SampleEnvironment,
  fetches?: Fetches,
): Sample | undefined {
  const option = read.read(key, undefined, "a sample, as 'req.hdr(x-key),lower', or a function", (value) =>
    typeof value === 'string' || typeof value === 'function' ? (value as SampleOption) : undefined,
  );
  if (option === undefined) return undefined;
  try {
    return sampleOf(option, environment, fetches);
  } catch (error) {
    if (!(error instanceof SampleSyntaxError)) throw error;
    read.reject(key, `${error.message}, in '${option}'`);
    return undefined;
  }
}
