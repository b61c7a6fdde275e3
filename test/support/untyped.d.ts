/** Packages without types of their own; as much of them as the tests use. */

declare module 'express4' {
  import express from 'express';
  export default express;
}

declare module 'compression' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  export default function compression(options?: {
    threshold?: number;
  }): (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;
}
