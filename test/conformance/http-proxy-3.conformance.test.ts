import { playAll } from './forwarding.ts';

playAll('http-proxy-3');
