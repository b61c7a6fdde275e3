import type { Parameter, Parameters } from './parameters.ts';
import type { SampleType, SampleValue, SampleValues } from './sample.ts';

/** Makes another value of a value. */
export interface Converter {
  readonly from: SampleType;
  readonly to: SampleType;
  readonly parameters: readonly Parameter<unknown>[];
  readonly convert: (value: SampleValue, ...values: readonly unknown[]) => SampleValue | undefined;
}

/** A row of the table of converters. It must not throw, whatever a client sends: what it cannot convert is `undefined`. */
export function defineConverter<
  From extends SampleType,
  To extends SampleType,
  const Values extends readonly unknown[],
>(
  from: From,
  to: To,
  parameters: Parameters<Values>,
  convert: (value: SampleValues[From], ...values: Values) => SampleValues[To] | undefined,
): Converter {
  return {
    from,
    to,
    parameters: parameters as readonly Parameter<unknown>[],
    convert: convert as Converter['convert'],
  };
}
