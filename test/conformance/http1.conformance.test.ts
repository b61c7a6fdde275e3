import { playAll } from './forwarding.ts';

playAll('http1');
