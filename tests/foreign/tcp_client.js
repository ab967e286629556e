const [host, port] = process.argv.slice(2);
const s = require('net').connect(port, host);
process.stdin.pipe(s).pipe(process.stdout);
