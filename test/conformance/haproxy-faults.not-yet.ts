const RETRY_ON_STATUS = 'retryOn takes no statuses yet';

/** Recorded cases that are not met yet, and why. */
export const NOT_YET: Readonly<Record<string, string>> = {
  'retry-all: status-500': RETRY_ON_STATUS,
  'retry-all: status-503': RETRY_ON_STATUS,
  'retry-all/POST: status-500': RETRY_ON_STATUS,
  'retry-all/POST: status-503': RETRY_ON_STATUS,
};
