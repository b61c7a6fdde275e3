export { asAddress, asBinary, asInteger, asText } from './casts.ts';
export { compileSample, type Fetches, sampleOf } from './compile.ts';
export { FETCHES, RESPONSE_FETCHES } from './fetches.ts';
export { listValues } from './header-fields.ts';
export { SampleSyntaxError } from './parse.ts';
export { parseRdpCookie } from './rdp-cookie.ts';
export { readSample } from './read-sample.ts';
export type {
  Sample,
  SampleEnvironment,
  SampleFunction,
  SampleOption,
  SampleType,
  SampleValue,
} from './sample.ts';
