use IO::Socket::INET;
my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'udp') or die;
$| = 1;
print '127.0.0.1 ', $s->sockport, "\n";
while (my $from = $s->recv(my $data, 65536)) {
    $s->send($data, 0, $from);
}
