use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5) or die;
$| = 1;
print '127.0.0.1 ', $listener->sockport, "\n";
while (my $s = $listener->accept) {
    while (sysread($s, my $data, 65536)) {
        $s->print($data);
        $s->flush;
    }
}
