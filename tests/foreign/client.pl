use IO::Socket::INET;
my ($protocol, $host, $port, $length) = @ARGV;
my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port, Proto => $protocol) or die;
read(STDIN, my $message, $length);
$s->print($message);
$s->flush;
my $reply = '';
while (length $reply < $length) {
    sysread($s, $reply, 65536, length $reply) or last;
}
print $reply;
