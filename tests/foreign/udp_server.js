const s = require('dgram').createSocket('udp4');
s.on('message', (data, from) => s.send(data, from.port, from.address));
s.bind(0, '127.0.0.1', () => console.log('127.0.0.1', s.address().port));
