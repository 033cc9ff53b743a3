//! How an archive is compressed, and reading it whatever it is.

use std::io::{self, BufReader, Cursor, Read, Write};

/// Compression of an archive or layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// The first bytes of formats that people send by mistake, and what they are called.
const FOREIGN: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"BZh", "compressed with bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
];

impl Compression {
    /// Looks at the first bytes. `Err` names a format that is recognised but not supported.
    pub(crate) fn of(head: &[u8]) -> Result<Self, &'static str> {
        if let Some((_, name)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(name);
        }
        Ok(match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        })
    }

    /// Decompresses `reader`.
    pub(crate) fn decoder<'r>(self, reader: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::None => Box::new(reader),
            // As gzip(1) does, members that follow each other are one stream.
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::new(reader)?;
                // 128 MiB of window, which `zstd --ultra` needs; a frame may ask for 2 GiB.
                decoder.window_log_max(27)?;
                Box::new(decoder)
            }
        })
    }

    /// Compresses into `writer`, the same bytes for the same input each time.
    pub(crate) fn encoder<W: Write>(self, writer: W) -> io::Result<Encoder<W>> {
        Ok(match self {
            Self::None => Encoder::None(writer),
            // The header of flate2's gzip has neither time nor name.
            Self::Gzip => Encoder::Gzip(flate2::write::GzEncoder::new(writer, flate2::Compression::new(6))),
            Self::Zstd => Encoder::Zstd(zstd::Encoder::new(writer, 3)?),
        })
    }
}

/// Reads enough of `reader` to recognise the format, and gives it back whole.
pub(crate) fn peek<R: Read>(mut reader: R) -> io::Result<(Vec<u8>, BufReader<impl Read>)> {
    let mut head = Vec::new();
    reader.by_ref().take(6).read_to_end(&mut head)?;
    Ok((head.clone(), BufReader::with_capacity(128 << 10, Cursor::new(head).chain(reader))))
}

/// A compressor that must be [finished](Encoder::finish).
pub(crate) enum Encoder<W: Write> {
    None(W),
    Gzip(flate2::write::GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    /// Writes the end of the stream.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::None(writer) => Ok(writer),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(writer) => writer.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(writer) => writer.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
