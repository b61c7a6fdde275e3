import type { EvenkeelError, TerminationFlags, TimeLimit } from './errors.ts';

/** How far a request had got on its way to a server: nothing of it sent, its head, or (part of) its body too. */
export type Sent = 'nothing' | 'head' | 'body';

/** Why an attempt failed, in the words of HAProxy's `retry-on`, plus what is never retried. */
export type FailureReason = 'conn-failure' | 'empty-response' | 'junk-response' | 'response-timeout' | 'local';

/** How one attempt to carry a request to one server ended, and how far it got. */
export type Outcome =
  /** A whole response reached the client's response object. */
  | { readonly kind: 'answered'; readonly status: number }
  /** The response's head had been passed on; its body was not whole, and the client's connection was destroyed. */
  | {
      readonly kind: 'cut';
      readonly status: number;
      readonly flags: TerminationFlags;
      /** The time limit that was reached, if one was. */
      readonly timeout?: TimeLimit | undefined;
    }
  /** No response head was passed on, so another attempt is possible if the request can be replayed. */
  | {
      readonly kind: 'failed';
      readonly reason: FailureReason;
      readonly sent: Sent;
      readonly onReusedConnection: boolean;
      readonly error: EvenkeelError;
    }
  /** A response was thrown away unseen, since the request goes to a server again. */
  | {
      readonly kind: 'discarded';
      readonly status: number;
      /** Names and values in turn. */
      readonly headers: readonly string[];
    }
  /** We answered ourselves: the client was too slow (408). */
  | { readonly kind: 'refused'; readonly error: EvenkeelError }
  /** A rule has put an answer of its own in place of the server's. */
  | { readonly kind: 'ruled' }
  | { readonly kind: 'client-gone'; readonly flags: TerminationFlags };
