const server = require('net').createServer({ allowHalfOpen: true }, (s) => s.pipe(s));
server.listen(0, '127.0.0.1', () => console.log('127.0.0.1', server.address().port));
