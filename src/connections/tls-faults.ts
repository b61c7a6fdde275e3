/** Nobody that is trusted vouches for the certificate. What is signed by a CA is trusted by that CA alone. */
const trusting = (what: string): string =>
  `to trust it, give ${what} as 'caFile' or 'ca' (verify: 'none' trusts any certificate)`;

/** What went wrong with TLS, by the codes of Node's errors, and which option of the server has a say in it. */
const WORDS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: `self-signed certificate; ${trusting('it')}`,
  SELF_SIGNED_CERT_IN_CHAIN: `certificate of an unknown CA; ${trusting('its CA')}`,
  UNABLE_TO_GET_ISSUER_CERT: `certificate of an unknown CA; ${trusting('its CA')}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: `certificate of an unknown CA; ${trusting('its CA')}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: `certificate of an unknown CA; ${trusting('its CA')}`,
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server does not speak TLS (wrong version number)',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the server does not speak TLS (packet length too long)',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'the server speaks none of the protocols offered (ALPN)',
};

/** What went wrong with TLS, in words for who set the options; `undefined`: nothing of this kind. */
export function tlsFaultWords(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `the certificate is for another name than 'verifyhost' or the SNI says: ${typeof reason === 'string' ? reason : error.message}`;
  return typeof code === 'string' && Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
}
