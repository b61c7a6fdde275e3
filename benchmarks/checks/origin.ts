/** The servers of `checks.ts`: whole answers, over connections that are kept where they are asked to be. Counts requests. */
import net from 'node:net';

let count = 0;
const server = net.createServer((socket) => {
  socket.on('error', () => undefined);
  socket.on('data', () => {
    count++;
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
  process.send?.((server.address() as net.AddressInfo).port);
});
process.on('message', () => process.send?.(count));
process.once('disconnect', () => process.exit());
