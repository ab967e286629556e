//! A word on a stream of bytes: its length (two bytes, network byte order), then the word in UTF-8.

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpStream;

/// The next word; `None` at the end of the stream. Fails where the stream ends within a word.
pub fn read_word(source: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    if source.fill_buf()?.is_empty() {
        return Ok(None);
    }
    // One recv may return less: read_exact calls it until all is there.
    let mut length = [0; 2];
    source.read_exact(&mut length)?;
    let mut word = vec![0; u16::from_be_bytes(length).into()];
    source.read_exact(&mut word)?;
    // Only now, because a part of a word may end within a character.
    String::from_utf8(word).map(Some).map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

/// Sends a word, with one send: a second small one may wait until the first is acknowledged (Nagle, RFC 896).
pub fn write_word(mut target: &TcpStream, word: &str) -> io::Result<()> {
    let length = u16::try_from(word.len());
    let length = length.map_err(|error| Error::new(ErrorKind::InvalidInput, error))?;
    target.write_all(&[&length.to_be_bytes(), word.as_bytes()].concat())
}
