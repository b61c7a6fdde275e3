/** Words that take one more behind them; those that are not supported are refused where the options are read. */
const WITH_VALUE: Readonly<Record<string, string>> = {
  ...{ size: 'size', expire: 'expire', srvkey: 'srvkey', peers: 'peers' },
  ...{ 'write-to': 'writeTo', 'brates-factor': 'bratesFactor' },
};
const FLAGS: Readonly<Record<string, string>> = { nopurge: 'nopurge', 'recv-only': 'recvOnly' };

/**
 * HAProxy's words behind `stick-table` as an object of options; a sentence where they are wrong.
 * @see HAProxy stick_table.c:parse_stick_table
 */
export function fromTablePhrase(phrase: string): Record<string, unknown> | string {
  const words = phrase.trim().split(/\s+/);
  const options: Record<string, unknown> = {};
  const stored: string[] = [];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const flag = Object.hasOwn(FLAGS, word) ? FLAGS[word] : undefined;
    if (flag !== undefined) {
      options[flag] = true;
      continue;
    }
    const option = Object.hasOwn(WITH_VALUE, word) ? WITH_VALUE[word] : undefined;
    if (option === undefined && word !== 'type' && word !== 'store') return `has '${word}', which is not a word of it`;
    const value = words.shift();
    if (value === undefined) return `has nothing behind '${word}'`;
    if (word === 'store') stored.push(value);
    else if (word === 'type') options['type'] = words[0] === 'len' ? [value, ...words.splice(0, 2)].join(' ') : value;
    // A bare number is milliseconds, as it is among options.
    else if (option !== undefined) options[option] = /^\d+$/.test(value) ? Number(value) : value;
  }
  if (stored.length > 0) options['store'] = stored.join(',');
  return options;
}
