import { EvenkeelError } from '../core/errors.ts';
import type { BackendServer } from './backend-server.ts';
import { BoundExchange } from './bound-exchange.ts';
import { hasLeft } from './client-sessions.ts';
import { type Place, type Queued, RequestQueue, type Waiter } from './request-queue.ts';

/** What becomes of a request until a slot of a server is free for it. */
export abstract class QueuedExchange extends BoundExchange implements Queued {
  /** Time it has waited so far. */
  protected queuedMs = 0;
  #waiter: Waiter | undefined = undefined;
  /** It holds a slot of this server until tables have agreed to it. */
  #reserved: BackendServer | undefined = undefined;

  /** Takes a slot of the server and sends the request there. */
  protected abstract carry(server: BackendServer): void;

  protected findPlace(): void {
    this.go(this.chooseAnew());
  }

  chooseAnew(): Place {
    return this.core.choice.first(this, this);
  }

  protected go(place: Place): void {
    if (this.over) return; // a function of the user's that was asked for the place has ended it
    if (place instanceof EvenkeelError) this.fail(place);
    else if (place instanceof RequestQueue) this.#wait(place);
    else this.#agree(place);
  }

  onTurn(server: BackendServer): void {
    // The slot may be that of another request of the same client, which was told first that it has left.
    if (hasLeft(this.clientRequest)) {
      this.onClientGone();
      return;
    }
    this.#stopWaiting();
    this.#agree(server);
  }

  onRefused(error: EvenkeelError): void {
    this.#stopWaiting();
    this.fail(error);
  }

  /** Gives up its place in a queue; `false` if it has none. */
  protected leaveQueue(): boolean {
    if (!this.#waiter) return false;
    this.core.admission.leave(this.#waiter);
    this.#stopWaiting();
    return true;
  }

  /** To the server, or to where its client belongs by what tables say. */
  #agree(server: BackendServer): void {
    const agreed = server.redir !== undefined && this.redirectable ? undefined : this.agreed(server);
    if (!agreed) {
      this.carry(server);
      return;
    }
    this.core.take(server);
    this.#reserved = server;
    this.awaitsTable = true;
    agreed.then((other) => {
      this.awaitsTable = false;
      if (this.over) return;
      if (other === server && server.acceptsPersistent) {
        this.carry(server);
        return;
      }
      this.endReservation();
      if (other !== server) this.bond?.bindTo(other, 'stick');
      this.go(other === server ? this.chooseAnew() : this.core.choice.first(this, this));
    });
  }

  /** Takes a slot of a server, unless it has it already. */
  protected takeSlot(server: BackendServer): void {
    if (this.#reserved === server) this.#reserved = undefined;
    else this.core.take(server);
  }

  /** Gives back a slot of which nothing comes. */
  protected endReservation(): void {
    const server = this.#reserved;
    if (!server) return;
    this.#reserved = undefined;
    this.core.giveBack(server);
  }

  #wait(queue: RequestQueue): void {
    const { admission, environment } = this.core;
    if (admission.full) {
      this.fail(new EvenkeelError('EK_QUEUE_FULL'));
      return;
    }
    const priority = this.priority ?? this.core.priorityOf(this);
    if (!this.over) this.#waiter = admission.wait(this, queue, priority, environment.now(), this.timeouts.queueMs);
  }

  #stopWaiting(): void {
    if (!this.#waiter) return;
    this.queuedMs += this.core.environment.now() - this.#waiter.since;
    this.#waiter = undefined;
  }
}
