import { haproxy } from '../proxies/haproxy.ts';
import { nginx } from '../proxies/nginx.ts';
import type { Program } from './program.ts';

/** One row of the comparison: a program, or a file of `proxies/` that runs in Node.js. */
export interface ContenderPlan {
  readonly name: string;
  readonly title: string;
  /** Packages whose versions belong in the report. */
  readonly packages: readonly string[];
  readonly program?: Program;
  /** It answers by itself, so no server is behind it. */
  readonly floor?: true;
}

/** In the order in which they take turns. */
export const CONTENDERS: readonly ContenderPlan[] = [
  { name: 'floor', title: 'node:http that only answers (floor)', packages: [], floor: true },
  { name: 'evenkeel', title: '**evenkeel**', packages: ['evenkeel'] },
  { name: 'http-proxy-3', title: 'http-proxy-3', packages: ['http-proxy-3'] },
  { name: 'undici-dispatch', title: 'undici `dispatch` by hand', packages: ['undici'] },
  {
    name: 'evenkeel-http-proxy-3',
    title: "**evenkeel**, `engine: 'http-proxy-3'`",
    packages: ['evenkeel', 'http-proxy-3'],
  },
  { name: 'httpxy', title: 'httpxy', packages: ['httpxy'] },
  { name: 'fast-proxy', title: 'fast-proxy', packages: ['fast-proxy'] },
  { name: 'evenkeel-express', title: '**evenkeel** in Express', packages: ['evenkeel', 'express'] },
  {
    name: 'http-proxy-middleware',
    title: 'http-proxy-middleware in Express',
    packages: ['http-proxy-middleware', 'express'],
  },
  { name: 'evenkeel-fastify', title: '**evenkeel** in Fastify', packages: ['evenkeel', 'fastify'] },
  { name: 'fastify-http-proxy', title: '@fastify/http-proxy', packages: ['@fastify/http-proxy', 'fastify'] },
  { name: 'haproxy', title: 'HAProxy, one thread', packages: [], program: haproxy },
  { name: 'nginx', title: 'nginx, one worker', packages: [], program: nginx },
];

/** What the project promises of its speed: how many times the requests of `over` does `of` carry for the same CPU. */
export interface Target {
  readonly of: string;
  readonly over: string;
  readonly scenario: string;
  readonly times: number;
  /** The promise is an upper bound on CPU (of over over), not a lower one on requests. */
  readonly atMost?: true;
}

export const TARGETS: readonly Target[] = [
  { of: 'evenkeel', over: 'http-proxy-3', scenario: 'small', times: 3.5 },
  { of: 'evenkeel', over: 'undici-dispatch', scenario: 'small', times: 1.5 },
  { of: 'evenkeel', over: 'floor', scenario: 'small', times: 1.9, atMost: true },
  { of: 'evenkeel', over: 'http-proxy-3', scenario: '1m', times: 2.3 },
  { of: 'evenkeel-express', over: 'http-proxy-middleware', scenario: 'small', times: 2.5 },
  { of: 'evenkeel-fastify', over: 'fastify-http-proxy', scenario: 'small', times: 2.3 },
];
