"""The standard library's own answer to many clients, with a queue that holds them all."""
import socketserver


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            data = self.request.recv(4096)
            if not data:
                break
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 4096
    daemon_threads = True


server = Server(('127.0.0.1', 0), Echo)
print('ready on %s:%d' % server.server_address, flush=True)
server.serve_forever()
