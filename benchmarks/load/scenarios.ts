/** What is asked of every contender. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Bytes of the answer's body. */
  readonly bytes: number;
  /** Bytes of the request's body. */
  readonly upload: number;
  /** Keep-alive clients, each with one request at a time. */
  readonly clients: number;
  /** How long one round lasts when `--seconds` does not say. */
  readonly seconds: number;
}

const KB = 1024;

/** Fewer clients for 1 MiB: requests cut off when a round ends cost CPU and are not counted, so few must be under way. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'small', title: '65-byte answer', method: 'GET', path: '/65', bytes: 65, upload: 0, clients: 64, seconds: 3 },
  {
    name: '64k',
    title: '64 KiB answer',
    method: 'GET',
    path: '/64k',
    bytes: 64 * KB,
    upload: 0,
    clients: 64,
    seconds: 2,
  },
  { name: '1m', title: '1 MiB answer', method: 'GET', path: '/1m', bytes: KB * KB, upload: 0, clients: 16, seconds: 2 },
  {
    name: 'post',
    title: '64 KiB POST',
    method: 'POST',
    path: '/upload',
    bytes: 65,
    upload: 64 * KB,
    clients: 64,
    seconds: 2,
  },
];

/** The paths that are answered with so many bytes. */
export const ANSWERS: readonly { path: string; bytes: number }[] = SCENARIOS.filter(({ method }) => method === 'GET');

/** The answer to an upload, once the whole of it has been read. */
export const UPLOAD_ANSWER: string = 'x'.repeat(65);

/** Answered with the port of the server that answers, so that it can be seen that all of them are used. */
export const PORT_PATH: string = '/port';
