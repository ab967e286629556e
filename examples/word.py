# A word on a stream of bytes: its length (two bytes, network byte order), then the word in UTF-8.


def read_word(source):
    """The next word; None at the end of the stream. Raises ValueError where that is within a word."""
    length = source.read(2)
    if not length:
        return None
    # One recv may return less: read() calls it until all is there, or the end.
    word = source.read(int.from_bytes(length, 'big'))
    if len(length) < 2 or len(word) < int.from_bytes(length, 'big'):
        raise ValueError('the stream ends within a word')
    # Only now, because a part of a word may end within a character.
    return word.decode()


def write_word(target, word):
    """Sends a word, with one send. Raises OverflowError where it has more than 65535 bytes."""
    data = word.encode()
    target.sendall(len(data).to_bytes(2, 'big') + data)
