const [host, port] = process.argv.slice(2);
const s = require('dgram').createSocket('udp4');
s.on('message', (data) => process.stdout.write(data));
process.stdin.on('data', (data) => s.send(data, port, host));
