import { generate } from 'selfsigned';

/** A certificate that signs itself, with its key, as PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

const made = new Map<string, Promise<Certificate>>();

/** The certificate of a name, made once a process. An IP address is one in it. */
export function certificateFor(name: string): Promise<Certificate> {
  let certificate = made.get(name);
  if (!certificate) made.set(name, (certificate = make(name)));
  return certificate;
}

async function make(name: string): Promise<Certificate> {
  const subject = /^[\d.]+$/.test(name) ? ({ type: 7, ip: name } as const) : ({ type: 2, value: name } as const);
  const { private: key, cert } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [subject] }],
  });
  return { key, cert };
}
